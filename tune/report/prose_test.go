package report

import (
	"strings"
	"testing"

	"lambda-parallel-io/tune/comparison"
)

// forPeople are the views that recommend a cell, each as one line of words.
func forPeople(t *testing.T, c *comparison.Comparison) map[string]string {
	t.Helper()
	drawn := map[string]string{"text": oneSpaced(terminal(t, c, ""))}
	for _, name := range files[3:] { // the others are data
		drawn[name] = oneSpaced(draw(t, c, file(name)))
	}
	return drawn
}

func oneSpaced(b []byte) string { return strings.Join(strings.Fields(string(b)), " ") }

func TestAnAnswerFromPartOfTheCellsSaysSo(t *testing.T) {
	killed := interrupted() // and nothing was left to note that
	killed.Run.Interrupted = false
	for name, test := range map[string]struct {
		c    *comparison.Comparison
		want string
	}{
		"stopped":                      {interrupted(), "Of the 14 of 24 cells measured before the run was stopped, use unbounded at 3,008 MB"},
		"killed":                       {killed, "Of the 14 of 24 cells measured, use unbounded at 3,008 MB"},
		"whole":                        {local(), "Use unbounded at 3,008 MB"},
		"a variant failed as a whole":  {onAWS(), "Use unbounded at 3,008 MB"},
		"stopped before it had a cell": {empty(), "There is nothing to recommend"},
	} {
		for view, text := range forPeople(t, test.c) {
			if !strings.Contains(text, test.want) {
				t.Errorf("%s: %s does not answer %q", name, view, test.want)
			}
		}
	}
}

func TestAnAnswerThatIsNotToBeTrustedSaysSo(t *testing.T) {
	const doubt = "This machine could not keep up: the duration may be too long (!)."
	for _, test := range []struct {
		starved float64
		want    bool
	}{{comparison.BusyCores / 2, false}, {2 * comparison.BusyCores, true}} {
		c := local()
		cell := c.Recommended()
		cell.CPUShare.Starved = test.starved
		for view, text := range forPeople(t, c) {
			if got := strings.Contains(text, doubt); got != test.want {
				t.Errorf("of a cell whose threads waited for %g cores %s says %q: %v, want %v", test.starved, view, doubt, got, test.want)
			}
		}
	}
}

func TestTheAnswerSaysHowSureItIs(t *testing.T) {
	for view, text := range forPeople(t, rounds()) {
		if !strings.Contains(text, "Next: unbounded at 1,769 MB (1.11 times the cost x duration, 1.10 to 1.14)") {
			t.Errorf("%s does not say how much better than the next the recommended cell is: %s", view, text)
		}
	}
}

func TestOutOfMemoryIsSaidOfWhatIsKnownToBeIt(t *testing.T) {
	const killed = "RequestId: 5f0c1e2b Error: Runtime exited with error: signal: killed"
	aws, local := onAWS(), local()
	for _, test := range []struct {
		c    *comparison.Comparison
		cell comparison.Cell
		want string
	}{
		{local, comparison.Cell{Error: "invocation 2 of 7: Runtime.ExitError: " + killed, OutOfMemory: true}, "out of memory"},
		{local, comparison.Cell{Error: "invocation 2 of 7: Runtime.ExitError: " + killed}, "error"}, // by somebody
		{local, comparison.Cell{Error: "invocation 2 of 7: errorString: the printer: out of memory: load it"}, "error"},
		{aws, comparison.Cell{Error: "out of memory: Memory; leave 128 out of --power"}, "out of memory"},
		{local, comparison.Cell{Error: "invocation 2 of 7: RequestId: 5f0c1e2b Error: Task timed out after 3.00 seconds"}, "timeout"},
		{aws, comparison.Cell{Error: "Executor at 512 MB: Invocation error (running in series): Runtime.ExitError: " + killed}, "out of memory"},
		{aws, comparison.Cell{Error: "Executor at 512 MB: Invocation error (running in series): Runtime.OutOfMemory: RequestId: 5f0c1e2b"}, "out of memory"},
		{aws, comparison.Cell{Error: "Executor at 512 MB: Invocation error (running in series): Error: a child: signal: killed"}, "error"},
	} {
		test.c.Variants[0].Cells[0] = test.cell
		test.c.Variants[0].Cells[0].Power = 128
		text := string(terminal(t, test.c, ""))
		row := text[strings.Index(text, "\n      128  "):]
		if got := strings.TrimSpace(row[len("\n      128  "):]); !strings.HasPrefix(got, test.want+"  ") {
			t.Errorf("%s: a cell with the error %q is shown as %.20q, want %q", test.c.Mode, test.cell.Error, got, test.want)
		}
	}
}

func TestANameThatFitsIsShownWhole(t *testing.T) {
	for name, want := range map[string]string{
		"a-strategy-of-24-letters":  "a-strategy-of-24-letters",
		"one-strategy-25-long-here": "one-strategy-25-long-her"[:23] + "…",
	} {
		c := few()
		c.Variants[1].Strategy = name
		if text := string(terminal(t, c, "")); !strings.Contains(text, "  "+want+"  ") {
			t.Errorf("a strategy called %s is not shown as %s:\n%s", name, want, text)
		}
	}
}
