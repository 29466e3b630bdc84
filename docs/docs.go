// Package docs holds the guides for administrators, as the page shows them.
package docs

import "embed"

// Guides are the files *.md of this folder.
//
//go:embed *.md
var Guides embed.FS
