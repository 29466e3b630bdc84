package mime

// A Notify is one of the wishes of a recipient's NOTIFY (RFC 3461 section 4.1).
type Notify string

// The values of NOTIFY. NotifyNever stands alone.
const (
	NotifyNever   Notify = "NEVER"
	NotifySuccess Notify = "SUCCESS"
	NotifyFailure Notify = "FAILURE"
	NotifyDelay   Notify = "DELAY"
)

// ValidNotify reports whether the wishes are known and do not contradict each
// other: any of success, failure and delay, or never alone. None is valid.
func ValidNotify(wishes []Notify) bool {
	for _, w := range wishes {
		switch w {
		case NotifySuccess, NotifyFailure, NotifyDelay:
		case NotifyNever:
			if len(wishes) > 1 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// A Ret is how much of a message a report of its failure returns (RFC 3461
// section 4.3); empty where the sender did not say.
type Ret string

// The values of RET.
const (
	RetFull    Ret = "FULL" // the whole message
	RetHeaders Ret = "HDRS" // its header
)

// Valid reports one of the constants, or an empty value.
func (r Ret) Valid() bool { return r == "" || r == RetFull || r == RetHeaders }
