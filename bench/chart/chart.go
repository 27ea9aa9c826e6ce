// Package chart draws lines as SVG: a few series over the same places, on a logarithmic scale. The colours suit a light and a dark page,
// and each series has a dash of its own.
package chart

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Chart is one drawing.
type Chart struct {
	Title  string
	X, Y   string   // what the axes show, with the unit
	Places []string // labels along X, evenly spaced
	Series []Series // at most len(lines); further ones are not drawn
}

// Series is a line.
type Series struct {
	Name   string
	Points []Point // one a place; those whose Mid is not above zero are left out
}

// Point is a figure and its spread.
type Point struct{ Mid, Low, High float64 }

// The drawing's measures, in pixels.
const (
	width, height            = 720, 400
	left, right, top, bottom = 84, 24, 76, 60
)

// style is that of every chart. A page's scheme reaches into the picture.
const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #333 } .title { font-size: 16px; font-weight: 600 }
.grid { stroke: #8884; } path, .whisker { fill: none; stroke-width: 2 } .whisker { stroke-width: 1 }
.s0 { stroke: #5b6470; color: #5b6470 } .s1 { stroke: #c2620a; color: #c2620a } .s2 { stroke: #1f6fd6; color: #1f6fd6 } .s3 { stroke: #1a8a4a; color: #1a8a4a }
circle { fill: currentColor }
@media (prefers-color-scheme: dark) { text { fill: #ddd }
.s0 { stroke: #aab4c0; color: #aab4c0 } .s1 { stroke: #f0a050; color: #f0a050 } .s2 { stroke: #70b0ff; color: #70b0ff } .s3 { stroke: #5cd090; color: #5cd090 } }
</style>
`

// lines are the dashes of the series, in their order.
func lines() []string { return []string{"", "7 4", "2 3", "10 3 2 3"} }

// SVG is the drawing, a whole document.
func (c Chart) SVG() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(c.Title))
	b.WriteString(style)
	text(&b, "title", left, 24, "start", c.Title)
	text(&b, "", (left+width-right)/2, height-12, "middle", c.X)
	fmt.Fprintf(&b, `<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+height-bottom)/2, html.EscapeString(c.Y))
	scale := c.scale()
	for _, tick := range scale.ticks() {
		y := scale.y(tick)
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", left, width-right, y, y)
		text(&b, "", left-8, y+4, "end", number(tick))
	}
	for i, place := range c.Places {
		text(&b, "", c.x(i), height-bottom+22, "middle", place)
	}
	for i, s := range c.Series[:min(len(c.Series), len(lines()))] {
		c.draw(&b, i, s, scale)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// draw draws a series and its entry in the legend.
func (c Chart) draw(b *strings.Builder, i int, s Series, scale scale) {
	fmt.Fprintf(b, `<g class="s%d" stroke-dasharray="%s">`+"\n", i, lines()[i])
	x := float64(left + i*150)
	fmt.Fprintf(b, `<path d="M%.1f 50 h30"/><circle cx="%.1f" cy="50" r="3.5"/>`+"\n", x, x+15)
	path, move := "", "M"
	for place, p := range s.Points[:min(len(s.Points), len(c.Places))] {
		if p.Mid <= 0 {
			move = "M"
			continue
		}
		at, y := c.x(place), scale.y(p.Mid)
		path += fmt.Sprintf("%s%.1f %.1f ", move, at, y)
		move = "L"
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5"/>`, at, y)
		if p.Low > 0 && p.High > p.Low {
			fmt.Fprintf(b, `<path class="whisker" stroke-dasharray="" d="M%.1f %.1f V%.1f"/>`, at, scale.y(p.Low), scale.y(p.High))
		}
	}
	if path != "" {
		fmt.Fprintf(b, "\n"+`<path d="%s"/>`, strings.TrimSpace(path))
	}
	b.WriteString("\n</g>\n")
	text(b, "", x+38, 54, "start", s.Name)
}

func text(b *strings.Builder, class string, x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}

// x is where a place is.
func (c Chart) x(place int) float64 {
	return left + (width-left-right)*(float64(place)+0.5)/float64(max(len(c.Places), 1))
}

// scale is the logarithmic one of Y.
type scale struct{ low, high float64 }

// scale holds every point and its spread.
func (c Chart) scale() scale {
	s := scale{math.Inf(1), 0}
	for _, series := range c.Series {
		for _, p := range series.Points[:min(len(series.Points), len(c.Places))] {
			for _, v := range []float64{p.Mid, p.Low, p.High} {
				if v > 0 && !math.IsInf(v, 1) {
					s.low, s.high = min(s.low, v), max(s.high, v)
				}
			}
		}
	}
	if s.high == 0 {
		return scale{1, 10}
	}
	return scale{s.low / 1.2, s.high * 1.2}
}

func (s scale) y(v float64) float64 {
	at := (math.Log(v) - math.Log(s.low)) / (math.Log(s.high) - math.Log(s.low))
	return height - bottom - (height-top-bottom)*at
}

// ticks are 1, 2 and 5 times the powers of ten within the scale, or over three decades the powers alone.
func (s scale) ticks() []float64 {
	steps := []float64{1, 2, 5}
	if s.high/s.low > 1000 {
		steps = steps[:1]
	}
	var out []float64
	for e := math.Floor(math.Log10(s.low)); e <= math.Log10(s.high); e++ {
		for _, step := range steps {
			if v := step * math.Pow(10, e); v >= s.low && v <= s.high {
				out = append(out, v)
			}
		}
	}
	return out
}

// number writes a tick: 0.05, 20, 5k, 2M.
func number(v float64) string {
	switch {
	case v >= 999_999:
		return fmt.Sprintf("%gM", math.Round(v/1e5)/10)
	case v >= 999:
		return fmt.Sprintf("%gk", math.Round(v/100)/10)
	}
	return fmt.Sprintf("%.3g", v)
}
