package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambda-parallel-io/tune/report"
)

func TestAPlansPictureIsAnImageWithEveryPointAndTheChosenOneRinged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	name, err := report.WriteCurve(dir, func() (string, report.Curve) {
		return "5 < 6 & more", report.Curve{Children: []int{1, 2, 4}, Seconds: []float64{600, 300, 182}, Dollars: []float64{0.4, 0.41, 1.5}, Planned: 2}
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(string(raw)))
	for err == nil {
		_, err = d.Token()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("plan.svg is no XML: %v", err)
	}
	for _, want := range []string{"5 &lt; 6 &amp; more", "<title>Seconds: 600 with 1</title>", "<title>Dollars: 1.5 with 4</title>", ">Seconds<", ">Dollars<"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("plan.svg lacks %q:\n%s", want, raw)
		}
	}
	if n := strings.Count(string(raw), `class="ring"`); n != 2 {
		t.Errorf("plan.svg has %d rings, want one in each figure", n)
	}
}
