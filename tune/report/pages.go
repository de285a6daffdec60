package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"lambda-parallel-io/tune/builds"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// Data returns the comparison as JSON for the page, or nothing where it is too large: a page stays below 200 KB.
func (r *Report) Data() (data json.RawMessage, err error) {
	if data, err = json.Marshal(r.Comparison); len(data) > 96<<10 {
		return nil, nil
	}
	return data, err
}

// Reach is the distance that the strips of dots show at either side of the typical ratio, as a share of it: that of
// the farthest pair, rounded up, or 0.5 if a pair is beyond 0.2. It is 0 without pairs.
func (r *Report) Reach() float64 {
	most := 0.0
	for _, c := range r.measured {
		for _, pair := range c.Duration.ratio.Pairs {
			most = max(most, math.Abs(pair/c.Duration.ratio.Value-1))
		}
	}
	reaches := []float64{0, 0.02, 0.05, 0.1, 0.2, 0.5}
	i, _ := slices.BinarySearch(reaches[:5], most)
	return reaches[i]
}

// Dots returns where a cell's pairs stand on its strip, in percent of the width: at most 51 places, each once.
func (c *cell) Dots(reach float64) (at []int) {
	for _, pair := range c.Duration.ratio.Pairs {
		off := min(max((pair/c.Duration.ratio.Value-1)/reach, -1), 1)
		at = append(at, 50+2*int(math.Round(25*off)))
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// Timing returns the cells of one size whose last invocation has an answer: of the recommended size or, without one,
// of the largest that has any. Other functions than this project's, and AWS, return none.
func (r *Report) Timing() []*cell {
	for _, row := range slices.Backward(r.Rows) {
		told := slices.DeleteFunc(slices.Clone(row.Cells), func(c *cell) bool { return c.Answer == nil })
		if len(told) > 0 && (r.Best == nil || r.Best.Power == row.Power) {
			return told
		}
	}
	return nil
}

// Share returns how much of the CPU that the size buys was used, in percent; 0 if unknown.
func (c *cell) Share() int {
	if s := c.CPUShare; s != nil && s.Target > 0 {
		return min(int(100*s.Used/s.Target+0.5), 100)
	}
	return 0
}

type pageLink struct{ URL, Text string }

// visualization matches what may be linked, whatever a results.json holds: Power Tuning's page, data in the fragment.
var visualization = regexp.MustCompile(`^https://lambda-power-tuning\.show/(\?currency=CNY)?#[\w+/=][\w+/=;%.~!*'()-]*$`)

// Links lead to that page: one for each variant, and one that compares two.
func (r *Report) Links() (links []pageLink) {
	for i, v := range r.Variants {
		link := powertuning.Link(r.Run.Region, r.stats(i))
		if v.Tuning != nil {
			link = v.Tuning.StateMachine.Visualization // as the tool gave it
		}
		links = append(links, pageLink{link, r.Labels[i]})
	}
	links = append(links, r.CompareLink())
	return slices.DeleteFunc(links, func(l pageLink) bool { return !visualization.MatchString(l.URL) })
}

// stats are a variant's figures in the form of Power Tuning, on AWS the tool's own; nil if it has none.
func (r *Report) stats(variant int) (stats []powertuning.Stat) {
	if t := r.Variants[variant].Tuning; t != nil && r.Mode == comparison.AWS {
		return t.Stats
	}
	for _, c := range r.measured {
		if c.Variant == variant {
			price := powertuning.Price(powertuning.BaseCost(r.Run.Region, r.Run.Arch), c.Power, c.Billed)
			stats = append(stats, powertuning.Stat{Value: c.Power, AverageDuration: c.Duration.Value, AveragePrice: price})
		}
	}
	return stats
}

// CompareLink leads to Power Tuning's page with sequential beside the recommended variant. It is empty unless there
// are both, and of a map, each of whose cells has a concurrency of its own.
func (r *Report) CompareLink() pageLink {
	i := slices.IndexFunc(r.Variants, func(v comparison.Result) bool { return v.Sequential() })
	if r.Best == nil || r.Map != nil || i < 0 || i == r.Best.Variant || len(r.stats(i)) == 0 {
		return pageLink{}
	}
	base, best := r.Variants[i].Label(), r.Variants[r.Best.Variant].Label()
	link := powertuning.CompareLink(r.Run.Region, base, r.stats(i), best, r.stats(r.Best.Variant))
	return pageLink{link, r.Labels[i] + " against " + r.Best.Label}
}

// drawChart draws a picture that stands alone: an answer, figures side by side, and how they were measured.
func drawChart(w io.Writer, answer string, figures []*figure, below string) error {
	return templates.ExecuteTemplate(w, "chart", map[string]any{"Answer": answer, "Figures": figures, "Below": below})
}

// chart draws chart.svg for a README: the map of time and of cost or, of a measured comparison, time and cost against
// memory. It follows the reader's light or dark theme, and needs no other file.
func (r *Report) chart(w io.Writer) error {
	figures := append(r.Heat(), r.Figures()...)
	answer, err := r.Words("caption")
	measured, err2 := r.Words("measured")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return drawChart(w, answer, figures[:min(2, len(figures))], measured)
}

// Curve is how long a job takes and what it costs, by the number of children at once.
type Curve struct {
	Children         []int // ascending
	Seconds, Dollars []float64
	Planned          int // of the Children
}

// WriteCurve writes plan.svg, seconds and dollars against children, into dir, which it makes, and returns its path.
func WriteCurve(dir string, of func() (title string, c Curve)) (string, error) {
	title, c := of()
	figures := []*figure{c.figure("time", "Seconds", c.Seconds), c.figure("cost", "Dollars", c.Dollars)}
	err := write(dir, "plan.svg", func(w io.Writer) error { return drawChart(w, title, figures, "") })
	return filepath.Join(dir, "plan.svg"), err
}

func (c Curve) figure(id, unit string, values []float64) *figure {
	l := &line{Variant: 1}
	f := &figure{ID: id, Title: unit + " against children at once", XTitle: "Children at once", YTitle: unit,
		Right: figureWidth - 20, Lines: []*line{l}}
	f.against(c.Children, 0, newScale(values, plotBottom, plotTop))
	for i, v := range values {
		n := c.Children[i]
		p := point{X: f.x.at(float64(n)), Y: f.y.at(v), Joined: i > 0, Text: fmt.Sprintf("%s: %.4g with %d", unit, v, n)}
		if n == c.Planned {
			f.Ring = &p
		}
		l.Points = append(l.Points, p)
		f.Description += p.Text + ". "
	}
	return f
}

func px(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

// markers are the shapes of points.
var markers = []string{
	"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",    // disc
	"m-3.5-3.5h7v7h-7z",                     // square
	"m0-4.8l4.4 8h-8.8z",                    // triangle
	"m0-5l5 5l-5 5l-5-5z",                   // diamond
	"m0 4.8l4.4-8h-8.8z",                    // triangle, point down
	"m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z", // plus
	"m-5-2h10v4h-10z",                       // flat bar
	"m-2-5h4v10h-4z",                        // upright bar
}

// marker returns the path of a variant's marker. There are eight, and with as many colours they tell 64 apart.
func marker(variant int, x, y float64) string {
	return "M" + px(x) + " " + px(y) + markers[(variant+variant/8)%8]
}

// Builds are the views of two builds side by side.
type Builds struct{ *builds.Result }

// Write writes builds.json, table.md and report.html into dir, which it makes, and prints the JSON or a text.
func (b Builds) Write(w io.Writer, dir string, asJSON bool) error {
	raw := func(w io.Writer) error { return comparison.WriteJSON(w, b.Result) }
	table := func(w io.Writer) error { return texts.ExecuteTemplate(w, "builds.md", b) }
	page := func(w io.Writer) error { return templates.ExecuteTemplate(w, "builds", b) }
	err := errors.Join(write(dir, "builds.json", raw), write(dir, "table.md", table), write(dir, PageFile, page))
	if asJSON {
		return errors.Join(err, raw(w))
	}
	text := map[string]any{"Builds": b, "Page": filepath.Join(dir, PageFile)}
	return errors.Join(err, texts.ExecuteTemplate(w, "builds.txt", text))
}

// Words executes a template of builds.txt.
func (b Builds) Words(name string) (string, error) { return words(name, b) }

// units are those of the figures of two builds; retries have none.
var units = map[string]string{"duration": "ms", "cpu": "ms", "init": "ms", "cpu_per_read": "ms", "memory": "MB", "cost": "$"}
