// Package demo holds the files of the message that "postino demo" sends: an
// Italian invoice with its logo, in a text and an HTML body.
package demo

import "embed"

// FS holds body.txt, body.html, fattura.pdf and logo.png, which
// the HTML shows as cid:logo.
//
//go:embed body.txt body.html fattura.pdf logo.png
var FS embed.FS
