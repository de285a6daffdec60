package comparison

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Write writes results.json.
func (c *Comparison) Write(w io.Writer) error { return WriteJSON(w, c) }

// WriteJSON writes a value as this program's files and --json show it.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// maxBytes is more than any valid comparison takes.
const maxBytes = 256 << 20

// Read reads a results.json. If no run could have written the file, the error says in a sentence what is wrong with it.
func Read(r io.Reader) (*Comparison, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading results: %w", err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("reading results: more than %d MB: no comparison is that large", maxBytes>>20)
	}
	c, err := decode(bytes.TrimPrefix(data, []byte("\ufeff"))) // a byte order mark, which editors write
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("reading results: %w", err)
	}
	c.Conclude() // the file may be older, or hold wrong conclusions
	return c, nil
}

func decode(data []byte) (*Comparison, error) {
	// The schema comes first: what else another schema holds is unknown.
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok { // its message lacks the position
			err = fmt.Errorf("not valid JSON at byte %d: %w", syntax.Offset, err)
		}
		return nil, err
	}
	if head.Schema == nil {
		return nil, errors.New("no schema: this is not a results.json of this tool")
	}
	if *head.Schema != Schema {
		return nil, fmt.Errorf("schema %d: this version reads schema %d", *head.Schema, Schema)
	}
	// Compact, so that payloads and responses look the same however the file was indented.
	data, _ = json.Marshal(json.RawMessage(data)) // valid JSON
	var c Comparison
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, err
	}
	for _, r := range c.Variants {
		c.Run.Variants = append(c.Run.Variants, r.Variant)
	}
	return &c, nil
}
