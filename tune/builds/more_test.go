package builds

import "testing"

func TestWhatWouldDecideAnOpenFigureIsToldOfThoseThatFailTheBuild(t *testing.T) {
	r := &Result{FailOn: []string{"duration"}, Seconds: 60, Cells: []Cell{
		{Power: 512, Figure: "duration", Verdict: Open, Needs: 30, Pairs: make([]float64, 15)},
		{Power: 512, Figure: "init", Verdict: Open, Needs: 45, Pairs: make([]float64, 15)},
	}}
	if more, never := r.More(), r.Undecidable(); more != "--for 3m --max 30" || never != "" {
		t.Errorf("%q, and nothing %q; want what decides the duration", more, never)
	}
	r.Cells[0].Needs = 0
	if more, never := r.More(), r.Undecidable(); more != "" || never != "duration at 512 MB" {
		t.Errorf("%q, and nothing %q; want nothing for the duration", more, never)
	}
	r.Cells[0].Verdict = Same
	if more := r.More(); more != "--for 4m --max 45" {
		t.Errorf("%q, want what decides init", more)
	}
}
