package sandbox

// TenantID and ClientID are the directory and the application that the
// sandbox's connections use.
const (
	TenantID     = "72f988bf-0000-4000-8000-00000000beef"
	ClientID     = "11111111-2222-4333-8444-555555555555"
	ClientSecret = "sbx~fake-client-secret"
)

type entraServer struct {
	url                            string
	certificateFile, federatedFile string
}

func (e *entraServer) start(s *Sandbox) error { return nil }
func (e *entraServer) close() error           { return nil }
func (e *entraServer) reset()                 {}
