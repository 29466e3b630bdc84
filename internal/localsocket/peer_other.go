//go:build unix && !linux && !darwin && !freebsd

package localsocket

import "errors"

func peerCredentials(int) (credentials, error) {
	return credentials{}, errors.New("on this system nothing tells the user of a socket's peer")
}
