package comparison

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Write writes results.json.
func (c *Comparison) Write(w io.Writer) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the comparison: %w", err)
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// maxBytes is more than any comparison takes that [Comparison.Validate]
// accepts.
const maxBytes = 256 << 20

// Read reads a results.json. It takes nothing on trust: the error of a file
// that no run could have written says in a sentence what is wrong with it.
func Read(r io.Reader) (*Comparison, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading results: %w", err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("reading results: more than %d MB: no comparison is that large", maxBytes>>20)
	}
	c, err := decode(data)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("reading results: %w", err)
	}
	return c, nil
}

func decode(data []byte) (*Comparison, error) {
	// The schema is looked at first: what else another schema holds is
	// unknown.
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, describe(err)
	}
	if head.Schema == nil {
		return nil, errors.New("no schema: this is not a results.json of this tool")
	}
	if *head.Schema != Schema {
		return nil, fmt.Errorf("schema %d: this version reads schema %d", *head.Schema, Schema)
	}
	var c Comparison
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, describe(err)
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		if err := canonical(&v.Payload); err != nil {
			return nil, err
		}
		for j := range v.Cells {
			if r := &v.Cells[j].Response; len(*r) > 0 {
				if err := canonical(r); err != nil {
					return nil, err
				}
			}
		}
		c.Run.Variants = append(c.Run.Variants, v.Variant)
	}
	return &c, nil
}

// canonical gives raw JSON the spelling that it has in a results.json, so that
// what shows it shows the same when it is read from there.
func canonical(raw *json.RawMessage) (err error) {
	*raw, err = json.Marshal(*raw)
	return err
}

// describe puts a position to a syntax error, which has it in a field alone.
func describe(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not valid JSON at byte %d: %w", syntax.Offset, err)
	}
	return err
}
