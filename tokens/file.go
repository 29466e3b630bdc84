package tokens

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/adapters"
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
	why := text("it cannot be read", "non si può leggere")
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = text("it does not exist", "non esiste")
	case errors.Is(err, fs.ErrPermission):
		why = text("the service may not read it", "il servizio non ha il permesso di leggerlo")
	case errors.As(err, &pe):
		err = pe.Err
	default:
		why = text("it is "+err.Error(), "contenuto non valido ("+err.Error()+")")
	}
	e := misconfigured("credential_file",
		fmt.Sprintf("the credential file %s: %s", path, why.String()), fmt.Sprintf("il file delle credenziali %s: %s", path, why.In("it")),
		"check the path in the connection, and that the service's user may read the file",
		"controllare il percorso nella connessione e che l'utente del servizio possa leggere il file")
	e.Err = err
	return e
}

// misconfigured is a credential that cannot even be tried.
func misconfigured(code, en, it, remedyEN, remedyIT string) *adapters.Error {
	return &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Code: code, Enhanced: "4.7.0",
		Message: text(en, it), Hint: text(remedyEN, remedyIT)}
}

func text(en, it string) adapters.Text { return adapters.Text{EN: en, IT: it} }
