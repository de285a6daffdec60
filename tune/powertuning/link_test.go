package powertuning

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"

	"lambda-parallel-io/handler/platform"
)

// drawn is what the page shows for a fragment.
type drawn struct {
	stats  [][]Stat // one or two functions
	labels []string // of two
}

// draw reads a fragment as the page does: eight parts are two functions with labels; otherwise the first three
// are one function.
func draw(fragment string) (d drawn, err error) {
	parts := strings.Split(fragment, ";")
	n := 1
	if len(parts) == 8 {
		n = 2
		for _, p := range parts[6:] {
			label, err := url.PathUnescape(p)
			if err != nil {
				return d, err
			}
			d.labels = append(d.labels, label)
		}
	}
	for i := range n {
		stats, err := unhash(parts[3*i : 3*i+3])
		if err != nil {
			return d, err
		}
		d.stats = append(d.stats, stats)
	}
	return d, nil
}

func unhash(parts []string) ([]Stat, error) {
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.StdEncoding.DecodeString(p)
		if err != nil {
			return nil, err
		}
		raw[i] = b
	}
	n := len(raw[0]) / 2
	if len(raw[0]) != 2*n || len(raw[1]) != 4*n || len(raw[2]) != 4*n {
		return nil, fmt.Errorf("%d, %d and %d bytes", len(raw[0]), len(raw[1]), len(raw[2]))
	}
	stats := make([]Stat, n)
	for i := range stats {
		stats[i] = Stat{
			Value:           int(int16(binary.LittleEndian.Uint16(raw[0][2*i:]))),
			AverageDuration: float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[1][4*i:]))),
			AveragePrice:    float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[2][4*i:]))),
		}
	}
	return stats, nil
}

func TestLinkAsTheTool(t *testing.T) {
	for _, c := range load(t).VisualizationURL {
		var stats []Stat
		for _, s := range c.Input.Stats {
			stats = append(stats, Stat{s.Power, s.Cost, s.Duration})
		}
		if got := link(c.Input.BaseURL, c.Input.Region, hash(stats)); got != c.Output {
			t.Errorf("link(%v) = %s, want %s", stats, got, c.Output)
		}
	}
}

func TestCompareLinkAsThePage(t *testing.T) {
	c := load(t).UI.CompareHash
	a, errA := unhash(strings.Split(c.Input.Hash1, ";"))
	b, errB := unhash(strings.Split(c.Input.Hash2, ";"))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	got := CompareLink("us-east-1", c.Input.Legend1, a, c.Input.Legend2, b)
	if want := visualizationURL + "#" + c.Output; got != want {
		t.Errorf("CompareLink = %s, want %s", got, want)
	}
}

// The other tests rely on this decoder.
func TestFragmentsReadAsThePage(t *testing.T) {
	for _, c := range load(t).UI.Show {
		d, err := draw(c.Input.Hash)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if len(d.stats)*2 != len(c.Output.Datasets) {
			t.Fatalf("%s: %d functions, want %d data sets", c.Name, len(d.stats), len(c.Output.Datasets))
		}
		for i, stats := range d.stats {
			times, costs := c.Output.Datasets[2*i].Data, c.Output.Datasets[2*i+1].Data
			for _, s := range stats {
				at := slices.Index(c.Output.Labels, s.Value)
				if at < 0 || s.AverageDuration != *times[at] || s.AveragePrice != *costs[at] {
					t.Errorf("%s: function %d: %+v is not what the page shows", c.Name, i, s)
				}
			}
		}
		if len(d.labels) == 2 && (d.labels[0] != c.Output.Legend1 || d.labels[1] != c.Output.Legend2) {
			t.Errorf("%s: labels %q, want %q and %q", c.Name, d.labels, c.Output.Legend1, c.Output.Legend2)
		}
	}
}

func TestLabelsAreEscapedAsByEncodeURIComponent(t *testing.T) {
	for label, want := range map[string]string{
		"aZ09-_.!~*'()": "aZ09-_.!~*'()", // all that it leaves as it is
		"a b+c%":        "a%20b%2Bc%25",
		";,/?:@&=$#[]":  "%3B%2C%2F%3F%3A%40%26%3D%24%23%5B%5D",
		"ä\xff":         "%C3%A4%EF%BF%BD",
	} {
		if got := component(label); got != want {
			t.Errorf("component(%q) = %s, want %s", label, got, want)
		}
	}
}

func TestLinksInChinaAreInYuan(t *testing.T) {
	stats := []Stat{{512, 1, 2}}
	for _, got := range []string{Link("cn-north-1", stats), CompareLink("cn-north-1", "a", stats, "b", stats)} {
		if !strings.HasPrefix(got, visualizationURL+"?currency=CNY#") {
			t.Errorf("link %s has no currency", got)
		}
	}
}

// The page shows what the link was made of: hostile labels whole, figures as float32, without the sizes that have
// no duration. Any browser accepts the link.
func FuzzCompareLink(f *testing.F) {
	f.Add("pool (30)", "sequential", uint16(512), 9100.5, 6.1887e-5)
	f.Add("semaphore; n=32", "<script>&\"'", uint16(10_240), 0.1, 1e-9)
	f.Add("a#b?c/d%41\n", "\xff\u202e", uint16(128), math.MaxFloat64, 0.0)
	f.Fuzz(func(t *testing.T, labelA, labelB string, value uint16, duration, price float64) {
		a := []Stat{{int(value%platform.MaxMemory) + 1, price, duration}, {platform.MaxMemory + 1, duration, price}}
		b := a[:1]
		link := CompareLink("us-east-1", labelA, a, labelB, b)
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "https" || u.Host != "lambda-power-tuning.show" || strings.ContainsAny(link, " \"<>`\n") {
			t.Fatalf("CompareLink(%q, %q) = %s, %v, want a link", labelA, labelB, link, err)
		}
		_, fragment, _ := strings.Cut(link, "#")
		d, err := draw(fragment)
		if err != nil {
			t.Fatalf("CompareLink(%q, %q) = %s: %v", labelA, labelB, link, err)
		}
		valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		if len(d.labels) != 2 || d.labels[0] != valid(labelA) || d.labels[1] != valid(labelB) {
			t.Errorf("CompareLink(%q, %q): the page reads %q", labelA, labelB, d.labels)
		}
		measured := func(stats []Stat) []Stat {
			return slices.DeleteFunc(slices.Clone(stats), func(s Stat) bool { return s.AverageDuration == 0 })
		}
		if !sameFloat32s(d.stats[0], measured(a)) || !sameFloat32s(d.stats[1], measured(b)) {
			t.Errorf("CompareLink(%v, %v): the page reads %v", a, b, d.stats)
		}
	})
}

func sameFloat32s(got, want []Stat) bool {
	same := func(a, b float64) bool { return a == float64(float32(b)) || a != a && b != b }
	return slices.EqualFunc(got, want, func(a, b Stat) bool {
		return a.Value == b.Value && same(a.AveragePrice, b.AveragePrice) && same(a.AverageDuration, b.AverageDuration)
	})
}
