package api

import (
	"context"
	"net/http"
)

// Pages makes the handler of what is no path of the API from the API itself. What
// the handler asks of the API, in the name of the person of the cookie that it passes
// on, is checked and confined as any other request, and enters the audit trail as
// made on the page.
type Pages func(api http.Handler) http.Handler

type pageKey struct{}

// fromPage marks requests as the page's.
func fromPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), pageKey{}, true)))
	})
}

// byPage reports whether a request is the page's.
func byPage(r *http.Request) bool {
	by, _ := r.Context().Value(pageKey{}).(bool)
	return by
}
