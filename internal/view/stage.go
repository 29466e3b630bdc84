package view

import (
	"github.com/postino-mail/postino/adapters/stages"
)

// A Stage is one step in the test of a connection.
type Stage struct {
	Name         string `json:"name" doc:"Such as settings, dns, tcp, tls, greeting, token, authentication, mailbox, sender, budget, message"`
	Status       string `json:"status" enum:"ok,failed,skipped,unproven"`
	MS           int64  `json:"ms" doc:"Milliseconds since the stage before"`
	Class        string `json:"class,omitempty" doc:"Of a failed stage: permanent, transient, throttled, auth or unknown"`
	Code         string `json:"code" doc:"Of a failed stage: the cause, the same for all providers"`
	ProviderCode string `json:"provider_code,omitempty" doc:"Of a failed stage: what the provider calls it"`
	Message      string `json:"message"`
	Hint         string `json:"hint" doc:"What to do; empty: nothing"`
}

// OfStage shows a stage in a language.
func OfStage(s stages.Stage, lang string) Stage {
	v := Stage{Name: string(s.Name), Status: string(s.Status), MS: s.Took.Milliseconds(), Message: s.Message.In(lang), Hint: s.Hint.In(lang)}
	if s.Err != nil {
		v.Class, v.Code, v.ProviderCode = string(s.Err.Class), string(s.Err.Code), s.Err.ProviderCode
	}
	return v
}

// A ConnectionTest is the test of a connection.
type ConnectionTest struct {
	OK     bool    `json:"ok" doc:"No stage failed"`
	Stages []Stage `json:"stages"`
	Mail   string  `json:"mail,omitempty" doc:"Id of the message, where one was sent with other mail; GET /v1/messages/{id}"`
}

// OfConnectionTest shows a whole test in a language.
func OfConnectionTest(ok bool, all []stages.Stage, lang string) ConnectionTest {
	t := ConnectionTest{OK: ok, Stages: []Stage{}}
	for _, s := range all {
		t.Stages = append(t.Stages, OfStage(s, lang))
	}
	return t
}
