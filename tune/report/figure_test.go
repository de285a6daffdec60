package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lambda-parallel-io/tune/comparison"
)

func TestTheLabelsOfAsManyLinesAsAreDrawnHaveRoom(t *testing.T) {
	for _, ends := range [][]float64{
		{100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100},
		{-50, 0, 0, 20, 21, 22, 80, 200, 251, 251, 252, 900},
		{plotTop},
		{},
	} {
		f := &figure{}
		for _, y := range ends {
			f.Lines = append(f.Lines, &line{Points: []point{{Y: y}}, Label: point{Y: y}})
		}
		f.placeLabels()
		least, most := plotTop+lineHeight/2, plotBottom-lineHeight/2
		for i, l := range f.Lines {
			y := l.Label.Y
			if y < least || y > most || i > 0 && y-f.Lines[i-1].Label.Y < lineHeight-1e-9 {
				t.Errorf("of lines that end at %v, label %d is at %v: not between %v and %v or not %v below the one before", ends, i, y, least, most, lineHeight)
			}
		}
	}
}

func TestOfTooManyVariantsTheBestAndSequentialAreDrawn(t *testing.T) {
	var variants []variant
	for n := range 20 {
		variants = append(variants, variant{"pool", 1 + 3*n})
	}
	c := compare(append(variants, variant{"sequential", 1}), sizes, 6)
	r := New(c)
	drawn := r.drawn()
	if len(drawn) != maxLines || !slices.Contains(drawn, 20) || !slices.Contains(drawn, r.Best.Variant) {
		t.Errorf("drawn() = %v, want %d variants with 20, sequential, and %d, the best", drawn, maxLines, r.Best.Variant)
	}
	for _, f := range r.Figures() {
		var hint strings.Builder
		if err := templates.ExecuteTemplate(&hint, "hint", f); err != nil {
			t.Fatal(err)
		}
		if len(f.Lines) != maxLines || !strings.HasSuffix(hint.String(), " The table has 9 more variants.") {
			t.Errorf("%s: %d lines, and the hint %q", f.ID, len(f.Lines), hint.String())
		}
	}
}

func TestWhatThisMachineHeldUpIsNotJoinedByALine(t *testing.T) {
	c := compare([]variant{{"pool", 30}}, []int{512, 1024, 10240}, 6)
	c.Run.CPUs = 1
	c.Variants[0].Cells[2].CPUShare.Starved = 2
	f := New(c).Figures()[0]
	if p := f.Lines[0].Points; p[0].Joined || !p[1].Joined || p[2].Joined || !p[2].Hollow {
		t.Errorf("the line is %+v, want the first two points joined and the last one hollow", p)
	}
}

func TestTheFrontierHoldsWhatNothingBeatsInBoth(t *testing.T) {
	at := func(ms, cost float64) *cell {
		return &cell{Cell: &comparison.Cell{}, OK: true, Duration: estimate{Value: ms}, Cost: estimate{Value: cost}}
	}
	a, b, c := at(10, 9), at(20, 5), at(30, 5)
	d, e := at(40, 1), at(5, 1)
	e.out = true
	if got := frontier([]*cell{d, c, b, a, e}); !slices.Equal(got, []*cell{a, b, d}) {
		t.Errorf("frontier() has %d cells, want those of 10, 20 and 40 ms", len(got))
	}
}

func TestScalesStayWithinTheirPlot(t *testing.T) {
	for _, values := range [][]float64{{5}, {5, 5.01}, {1e-6, 3.6e6}, {128, 10240}} {
		s := newScale(values, 40, 300)
		for _, v := range values {
			if at := s.at(v); at < 40 || at > 300 {
				t.Errorf("of %v, %v is drawn at %v", values, v, at)
			}
		}
		ticks := s.ticks()
		for _, tick := range ticks {
			if tick.At < 40 || tick.At > 300 {
				t.Errorf("of %v, a tick is at %v", values, tick.At)
			}
		}
		if len(values) > 1 && len(ticks) == 0 {
			t.Errorf("of %v there is no tick", values)
		}
	}
}

func TestTheTextsBelowAnAxisHaveRoomBesideEachOther(t *testing.T) {
	for most := 2.0; most < 1e9; most *= 1.3 {
		for _, width := range []float64{250, 400, 600} {
			ticks := newScale([]float64{1.7, most}, 60, 60+width).ticks()
			for i := 1; i < len(ticks); i++ {
				room := ticks[i].At - ticks[i-1].At
				if needed := (textWidth(ticks[i-1].Text, textSize) + textWidth(ticks[i].Text, textSize)) / 2; room < needed {
					t.Errorf("from 1.7 to %g on %g px %s and %s are %.0f px apart and need %.0f", most, width, ticks[i-1].Text, ticks[i].Text, room, needed)
				}
			}
		}
	}
}

// The contrast that WCAG 2 calls AA: 4.5 for text of this size.
func TestEveryColourIsReadable(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		var b strings.Builder
		if err := templates.ExecuteTemplate(&b, scheme, nil); err != nil {
			t.Fatal(err)
		}
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+):#(\w+)`).FindAllStringSubmatch(b.String(), -1) {
			colours[m[1]] = m[2]
		}
		for _, ground := range []string{"paper", "card"} {
			for _, name := range []string{"ink", "quiet", "accent", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"} {
				if ratio := contrast(t, colours[name], colours[ground]); ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", scheme, name, ground, ratio)
				}
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 {
		t.Fatalf("%q is no colour", hex)
	}
	linear := func(shift int) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}

func TestEightVariantsDifferInColourAndMarkerAndAllInOneOfThem(t *testing.T) {
	seen := map[string]int{}
	for v := range 64 {
		key := fmt.Sprint(v%8, marker(v, 0, 0))
		if other, ok := seen[key]; ok {
			t.Errorf("variants %d and %d look the same", other, v)
		}
		seen[key] = v
	}
	shapes := map[string]bool{}
	for v := range 8 {
		shapes[marker(v, 0, 0)] = true
	}
	if len(shapes) != 8 {
		t.Errorf("8 variants have %d markers", len(shapes))
	}
}
