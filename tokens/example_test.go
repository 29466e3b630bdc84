package tokens_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/tokens"
)

// One cache serves every connection of a program: a hundred senders that need
// a token at the same moment cause one request. The sandbox stands in for Entra.
func ExampleNewCache() {
	entra, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer entra.Close()
	cache := tokens.NewCache(tokens.Options{HTTPClient: entra.HTTPClient()})
	defer cache.Close()
	source, err := cache.TokenSource(entra.GraphConnection("erp@contoso.example"), adapters.AudienceGraph)
	if err != nil {
		fmt.Println(err)
		return
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := source.Token(context.Background()); err != nil {
				fmt.Println(err)
			}
		})
	}
	wg.Wait()
	fmt.Println(entra.Counters()["entra.token"], "request")
	// Output: 1 request
}
