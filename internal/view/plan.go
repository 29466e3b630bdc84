package view

// A PlanStep is what is done with one connection.
type PlanStep struct {
	Action string   `json:"action" enum:"create,change,remove"`
	Name   string   `json:"name"`
	Fields []string `json:"fields,omitempty" doc:"That change"`
}
