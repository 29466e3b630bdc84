package api

import (
	"fmt"
	"net/http"
)

// overQuota refuses one more of something of which a client has most already.
func overQuota(most int, en, it, setting string) error {
	return fail(http.StatusTooManyRequests, "quota", "", fmt.Sprintf("this client has %d %s, as many as it may have", most, en), fmt.Sprintf("questo client ha %d %s, il massimo consentito", most, it),
		"remove some, or ask the administrator to raise "+setting+" in the server's configuration", "rimuoverne qualcuno, o chiedere all'amministratore di alzare "+setting+" nella configurazione del server")
}

// party is what bounds count by: the client, or the key of a program that is none.
func (p *principal) party() string {
	if p.client != nil {
		return "client " + p.client.ID
	}
	return p.name
}
