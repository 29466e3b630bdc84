package sendmail

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"time"
)

// ServerName is the name that the SMTP server at address greets with: the host
// name of its configuration. Empty where there is none to be had soon.
func ServerName(ctx context.Context, address string) string {
	const soon = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(soon)); err != nil {
		return ""
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 1024)).ReadString('\n')
	_, _ = io.WriteString(conn, "QUIT\r\n") // a courtesy
	words := strings.Fields(line)
	if err != nil || len(words) < 2 || strings.TrimSuffix(words[0], "-") != "220" {
		return ""
	}
	return words[1]
}
