package pages

import (
	"bytes"
	_ "embed"
	"html/template"
)

// Problem is what a browser is shown that has navigated in vain.
type Problem struct {
	Title  string
	Detail string
	Code   string // the stable name
	Back   string // where the person came from, or empty
	Root   string // from the page's path to where pages/page.css is, for example "../"
}

//go:embed files/problem.html
var problemText string

var problemTemplate = template.Must(template.New("problem").Parse(problemText))

// HTML is the page.
func (p Problem) HTML() ([]byte, error) {
	var b bytes.Buffer
	err := problemTemplate.Execute(&b, p)
	return b.Bytes(), err
}
