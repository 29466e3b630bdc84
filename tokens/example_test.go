package tokens_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/oauth2"

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

// fromVault is a program's own source of tokens, such as a secrets server.
type fromVault struct{}

func (fromVault) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "ya29.token", Expiry: time.Now().Add(time.Hour)}, nil
}

// The tokens come from the program itself, for every connection; all.Options
// and the options of each adapter take the cache as Tokens.
func ExampleFromOAuth2() {
	cache := tokens.FromOAuth2(fromVault{})
	defer cache.Close()
	source, err := cache.TokenSource(&adapters.Connection{Name: "Ufficio", Provider: adapters.Gmail}, adapters.AudienceGmailSend)
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := source.Token(context.Background())
	fmt.Println(token, err)
	// Output: ya29.token <nil>
}
