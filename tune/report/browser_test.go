package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"lambda-parallel-io/tune/comparison"
)

// survey is what a page says of itself.
const survey = `(() => {
  const box = e => { const r = e.getBoundingClientRect(); return {text: e.textContent, left: r.left, top: r.top, right: r.right, bottom: r.bottom} }
  const seen = e => { const s = getComputedStyle(e); return s.visibility == 'visible' && s.display != 'none' && +s.opacity > 0 }
  return {
    width: document.documentElement.scrollWidth,
    paper: getComputedStyle(document.documentElement).backgroundColor,
    figures: [...document.querySelectorAll('figure svg')].map(svg => ({
      name: svg.closest('figure').className,
      titled: svg.getAttribute('aria-labelledby').split(' ').every(id => document.getElementById(id).textContent != ''),
      box: box(svg),
      font: Math.min(...[...svg.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize) * svg.getScreenCTM().a)),
      variants: [...svg.querySelectorAll('g.variant')].map(g => ({
        variant: +g.dataset.variant, label: box(g.querySelector('text.label')), line: box(g.querySelector('path.line')),
        length: g.querySelector('path.line').getTotalLength(), markers: [...g.querySelectorAll('path.marker')].map(box),
        visible: [g, ...g.querySelectorAll('*')].every(e => e.tagName == 'title' || seen(e)),
      })),
      texts: [...svg.querySelectorAll('text')].map(box),
    })),
  }
})()`

type rectangle struct {
	Text                     string
	Left, Top, Right, Bottom float64
}

func (r rectangle) within(o rectangle) bool {
	return r.Left >= o.Left-0.5 && r.Right <= o.Right+0.5 && r.Top >= o.Top-0.5 && r.Bottom <= o.Bottom+0.5
}

func (r rectangle) overlaps(o rectangle) bool {
	return r.Left < o.Right && o.Left < r.Right && r.Top < o.Bottom-1 && o.Top < r.Bottom-1
}

type surveyed struct {
	Width   float64
	Paper   string
	Figures []struct {
		Name     string
		Titled   bool
		Box      rectangle
		Font     float64
		Variants []struct {
			Variant     int
			Label, Line rectangle
			Length      float64
			Markers     []rectangle
			Visible     bool
		}
		Texts []rectangle
	}
}

// readmes is the run that the README shows, whose durations reach five digits.
// It has no golden files here: those that it has are beside it.
var readmes = fixture{"readme", func() *comparison.Comparison {
	f, err := os.Open("../example/results.json")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		panic(err)
	}
	return c
}}

func TestThePageLooksRightInABrowser(t *testing.T) {
	ctx := chromium(t)
	complaints := listen(t, ctx)
	for _, f := range append(fixtures, readmes) {
		c := f.model()
		dir := t.TempDir()
		if _, err := Write(dir, c, true); err != nil {
			t.Fatal(err)
		}
		for _, width := range []int64{360, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s/%d/%s", f.name, width, scheme), func(t *testing.T) {
					media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
					if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
						t.Fatal(err)
					}
					if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate("file://"+filepath.Join(dir, PageFile))); err != nil {
						t.Fatal(err)
					}
					s, err := chromedp.Run(ctx, chromedp.Evaluate[surveyed](survey))
					if err != nil {
						t.Fatal(err)
					}
					if *screenshots != "" {
						picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
						if err != nil {
							t.Fatal(err)
						}
						save(t, fmt.Sprintf("%s-%d-%s.png", f.name, width, scheme), picture)
					}
					checkPage(t, s, New(c), width, scheme)
					for _, complaint := range complaints() {
						t.Error(complaint)
					}
				})
			}
		}
	}
}

func checkPage(t *testing.T, s surveyed, r *Report, width int64, scheme string) {
	t.Helper()
	if s.Width > float64(width) {
		t.Errorf("the page is %v px wide in a window of %d", s.Width, width)
	}
	if light := s.Paper == "rgb(255, 255, 255)"; light != (scheme == "light") {
		t.Errorf("background is %s in the %s scheme", s.Paper, scheme)
	}
	want := 3 + len(r.Heat())
	if len(r.measured) == 0 {
		want = 0
	}
	if len(s.Figures) != want {
		t.Fatalf("%d figures, want %d", len(s.Figures), want)
	}
	for _, f := range s.Figures {
		if !f.Titled {
			t.Errorf("%s: no title or description", f.Name)
		}
		if f.Font < 10 {
			t.Errorf("%s: text is %.1f px high, want 10 at least", f.Name, f.Font)
		}
		if want := len(r.drawn()); len(f.Variants) != want && !strings.HasPrefix(f.Name, "map") {
			t.Errorf("%s: %d variants, want %d", f.Name, len(f.Variants), len(r.drawn()))
		}
		for _, v := range f.Variants {
			measured := 0
			for _, row := range r.Rows {
				if row.Cells[v.Variant].OK {
					measured++
				}
			}
			if !v.Visible || measured > 1 && v.Length == 0 || len(v.Markers) < measured {
				t.Errorf("%s: variant %d: visible %v, line %.0f long, %d markers of %d", f.Name, v.Variant, v.Visible, v.Length, len(v.Markers), measured)
			}
			for _, part := range append(v.Markers, v.Label, v.Line) {
				if !part.within(f.Box) {
					t.Errorf("%s: variant %d: %+v is outside of %+v", f.Name, v.Variant, part, f.Box)
				}
			}
		}
		for i, a := range f.Texts {
			if !a.within(f.Box) {
				t.Errorf("%s: %+v is outside of %+v", f.Name, a, f.Box)
			}
			for _, b := range f.Texts[:i] {
				if a.overlaps(b) {
					t.Errorf("%s: %+v overlaps %+v", f.Name, a, b)
				}
			}
		}
	}
}

func TestThePageIsPrintedOnTwoPagesAtMost(t *testing.T) {
	ctx := chromium(t)
	for _, f := range fixtures {
		dir := t.TempDir()
		if _, err := Write(dir, f.model(), true); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate("file://"+filepath.Join(dir, PageFile))); err != nil {
			t.Fatal(err)
		}
		printed, err := chromedp.Call(ctx, cdppage.PrintToPDF, cdppage.PrintToPDFParams{PreferCSSPageSize: new(true)})
		if err != nil {
			t.Fatal(err)
		}
		pdf := printed.Data
		save(t, f.name+".pdf", pdf)
		pages := len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(pdf, -1))
		if pages < 1 || pages > 2 {
			t.Errorf("%s is printed on %d pages, want 1 or 2", f.name, pages)
		}
	}
}

func TestTheDataInThePageAreTheModel(t *testing.T) {
	ctx := chromium(t)
	for _, f := range fixtures {
		dir := t.TempDir()
		if _, err := Write(dir, f.model(), true); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate("file://"+filepath.Join(dir, PageFile))); err != nil {
			t.Fatal(err)
		}
		data, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.getElementById('results')?.textContent ?? document.querySelector('footer').textContent`))
		if err != nil {
			t.Fatal(err)
		}
		if f.name == "map" { // its points are more than a page has room for
			if !strings.HasPrefix(data, "The data are in results.json.") {
				t.Errorf("the footer of a map says %q, want where its data are", data)
			}
			continue
		}
		c, err := comparison.Read(strings.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		want, err := os.ReadFile(filepath.Join(dir, DataFile))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(draw(t, c, (*Report).Write), want) {
			t.Errorf("%s: the data in the page differ from results.json", f.name)
		}
	}
}
