package report

import (
	"bytes"
	"encoding/json"
	"testing"

	"lambda-parallel-io/tune/comparison"
)

func FuzzWhatIsReadCanBeDrawn(f *testing.F) {
	for _, fixture := range fixtures {
		small := fixture.model()
		small.Run.PowerValues = small.Run.PowerValues[:2]
		for i := range small.Variants {
			v := &small.Variants[i]
			v.Cells = v.Cells[:min(2, len(v.Cells))]
		}
		small.Variants = small.Variants[:min(3, len(small.Variants))]
		if small.Map != nil { // of its points as many
			small.Map.Answer, small.Map.Points = nil, small.Map.Points[:20]
		}
		small.Recommend()
		data, err := json.Marshal(small)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"schema":1,"mode":"aws","run":{"time":"0001-01-01T00:00:00Z","arch":"x86_64","power_values":[128],"num":5,"timeout_sec":1,` +
		`"state_machine":"arn:aws:states:us-east-1:123456789012:stateMachine:a"},"variants":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := comparison.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := comparison.Read(bytes.NewReader(draw(t, c, (*Report).Write)))
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		for _, name := range files {
			if !bytes.Equal(draw(t, c, file(name)), draw(t, again, file(name))) {
				t.Fatalf("%s differs when it is drawn again from its results.json", name)
			}
		}
		if !bytes.Equal(terminal(t, c, ""), terminal(t, again, "")) {
			t.Fatal("the terminal's text differs when it is drawn again from its results.json")
		}
		printable(t, terminal(t, c, ""))
		wellFormed(t, draw(t, c, file("chart.svg")))
	})
}
