package private

import (
	"io/fs"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// longest is how long a path of a folder may be without the prefix of long ones.
const longest = 247

func mkdir(dir string) error {
	rights, err := descriptor()
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	at := dir
	if len(at) > longest && filepath.IsAbs(at) && at[0] != '\\' {
		at = `\\?\` + filepath.Clean(at)
	}
	name, err := windows.UTF16PtrFromString(at)
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	with := &windows.SecurityAttributes{SecurityDescriptor: rights}
	with.Length = uint32(unsafe.Sizeof(*with))
	if err := windows.CreateDirectory(name, with); err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

// descriptor admits the system, its administrators and this user to a folder and to
// what is made in it. P: what the folder above admits is not inherited.
func descriptor() (*windows.SECURITY_DESCRIPTOR, error) {
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	const all = "(A;OICI;FA;;;"
	return windows.SecurityDescriptorFromString("D:P" + all + "SY)" + all + "BA)" + all + me.User.Sid.String() + ")")
}

// Admit lets another account have all that is in a folder, such as that of a service.
func Admit(dir, account string) error {
	sid, _, _, err := windows.LookupSID("", account)
	if err != nil {
		return &fs.PathError{Op: "admit " + account, Path: dir, Err: err}
	}
	now, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return &fs.PathError{Op: "admit " + account, Path: dir, Err: err}
	}
	list, _, err := now.DACL()
	if err != nil {
		return &fs.PathError{Op: "admit " + account, Path: dir, Err: err}
	}
	list, err = windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
		AccessPermissions: windows.GENERIC_ALL,
		AccessMode:        windows.GRANT_ACCESS,
		Inheritance:       windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
		Trustee: windows.TRUSTEE{TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeType: windows.TRUSTEE_IS_UNKNOWN,
			TrusteeValue: windows.TrusteeValueFromSID(sid)},
	}}, list)
	if err == nil {
		err = windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	}
	if err != nil {
		return &fs.PathError{Op: "admit " + account, Path: dir, Err: err}
	}
	return nil
}
