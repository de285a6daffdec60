package report

import (
	"math"
	"strconv"
)

// marker is the path of a variant's marker: together with one of eight colours
// it tells 64 variants apart, and eight of them without colour.
func marker(variant int, x, y float64) string {
	at := "M" + xy(x, y)
	switch (variant + variant/8) % 8 {
	case 0: // disc
		return at + "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"
	case 1: // square
		return at + "m-3.5-3.5h7v7h-7z"
	case 2: // triangle
		return at + "m0-4.8l4.4 8h-8.8z"
	case 3: // diamond
		return at + "m0-5l5 5l-5 5l-5-5z"
	case 4: // triangle, point down
		return at + "m0 4.8l4.4-8h-8.8z"
	case 5: // plus
		return at + "m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z"
	case 6: // flat bar
		return at + "m-5-2h10v4h-10z"
	default: // upright bar
		return at + "m-2-5h4v10h-4z"
	}
}

func xy(x, y float64) string { return px(x) + " " + px(y) }

func px(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}
