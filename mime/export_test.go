package mime

// For tests outside of the package.
var (
	GoldenDrafts = goldenDrafts
)
