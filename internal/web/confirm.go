package web

// A confirmation is the screen before something that cannot simply be done again:
// it says what happens, to how many, and whether it can be undone.
type confirmation struct {
	Title  sentence
	Lines  []sentence
	Action string // where the button posts to
	Button sentence
	Back   string
}
