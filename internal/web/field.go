package web

import "fmt"

// set takes one of the settings that templates may give a control.
func (c *field) set(name string, value any) error {
	ok := true
	take := func(to *string) {
		if s, is := value.(string); is {
			*to = s
		} else {
			ok = false
		}
	}
	mark := func(to *bool) {
		if b, is := value.(bool); is {
			*to = b
		} else {
			ok = false
		}
	}
	number := func(to *int) {
		if n, is := value.(int); is {
			*to = n
		} else {
			ok = false
		}
	}
	switch name {
	case "Type":
		take(&c.Type)
	case "Hint":
		take(&c.Hint)
	case "Value":
		take(&c.Value)
	case "Autocomplete":
		take(&c.Autocomplete)
	case "Inputmode":
		take(&c.Inputmode)
	case "Pattern":
		take(&c.Pattern)
	case "Placeholder":
		take(&c.Placeholder)
	case "Min":
		take(&c.Min)
	case "Max":
		take(&c.Max)
	case "Maxlength":
		number(&c.Maxlength)
	case "Rows":
		number(&c.Rows)
	case "Required":
		mark(&c.Required)
	case "Readonly":
		mark(&c.Readonly)
	case "Autofocus":
		mark(&c.Autofocus)
	case "Mono":
		mark(&c.Mono)
	case "Options":
		ok = c.options(value)
	default:
		return fmt.Errorf("web: a control has no setting %s", name)
	}
	if !ok {
		return fmt.Errorf("web: the setting %s of a control is %T", name, value)
	}
	return nil
}

// options takes values and labels in turn, or a list that a handler has made.
func (c *field) options(value any) bool {
	switch list := value.(type) {
	case []option:
		c.Options = append([]option(nil), list...)
		return true
	case []any:
		for i := 0; i+1 < len(list); i += 2 {
			v, ok1 := list[i].(string)
			l, ok2 := list[i+1].(string)
			if !ok1 || !ok2 {
				return false
			}
			c.Options = append(c.Options, option{Value: v, Label: l})
		}
		return true
	}
	return false
}
