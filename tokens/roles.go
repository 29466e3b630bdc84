package tokens

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Roles reads the app roles out of an Entra access token, without verifying
// it; false when it is no readable JWT. Good for a warning only: without
// "Mail.Send" in it an app may still send, when its right comes from RBAC for
// Applications (contracts A3.5, A3.6).
func Roles(token string) ([]string, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, false
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return nil, false
	}
	return claims.Roles, true
}
