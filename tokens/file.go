package tokens

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const maxCredentialFile = 1 << 20

// readCredentialFile reads a key, certificate or token file. The path may
// show in the error, the content never does.
func readCredentialFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxCredentialFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(data) > maxCredentialFile {
		return nil, unreadable(path, errors.New("larger than 1 MiB"))
	}
	if len(data) == 0 {
		return nil, unreadable(path, errors.New("empty"))
	}
	return data, nil
}

func unreadable(path string, err error) error {
	why := mime.NewText("token.cannot_read", "it cannot be read")
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = mime.NewText("token.does_not_exist", "it does not exist")
	case errors.Is(err, fs.ErrPermission):
		why = mime.NewText("token.service_may_not_read", "the service may not read it")
	case errors.As(err, &pe):
		err = pe.Err
	default:
		why = mime.NewText("token.text", "it is {reason}", "reason", err.Error())
	}
	e := misconfigured("credential_file",
		mime.NewText("token.credential_file", "the credential file {path}: {why}", "path", path, "why", why),
		mime.NewText("token.credential_file_hint",
			"check the path in the connection, and that the service's user may read the file"))
	e.Err = err
	return e
}

// misconfigured is a credential that cannot even be tried.
func misconfigured(code adapters.Code, message, hint adapters.Text) *adapters.Error {
	return &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Code: code, Enhanced: "4.7.0",
		Message: message, Hint: hint}
}
