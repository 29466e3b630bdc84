package tokens

import (
	"crypto/sha1" //nolint:gosec // a thumbprint for people to compare, no security rests on it
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// entraRow finds the row of an Entra refusal: by the first known number, then
// by the OAuth error, then by the status (contracts A3.2, A3.3).
func entraRow(a answer, status int) (string, row) {
	for _, n := range a.codes {
		if r := entraNumber(n); r.found() {
			return "AADSTS" + strconv.Itoa(n), r
		}
	}
	code := a.code
	lookUp := mime.NewText("entra.read_sign_in_log",
		"look the error up in the sign-in log of the app (Entra admin center > Enterprise applications > Sign-in "+
			"logs > Service principal sign-ins)")
	if len(a.codes) > 0 {
		code = "AADSTS" + strconv.Itoa(a.codes[0])
		lookUp = mime.NewText("entra.look_up_code",
			"its meaning is at https://login.microsoftonline.com/error?code={codes}", "codes", a.codes[0])
	}
	switch {
	case status == http.StatusTooManyRequests:
		return code, entraNumber(90055)
	case a.code == "temporarily_unavailable", a.code == "server_error", status >= 500:
		return code, entraNumber(90033)
	case a.code == "invalid_client":
		r := entraNumber(70002)
		if len(a.codes) > 0 {
			r.hint = lookUp
		}
		return code, r
	}
	return code, row{code: adapters.CodeRefused,
		class: adapters.Auth, message: mime.NewText("entra.entra_refused_issue_token", "Entra refused to issue a token"),
		hint: lookUp}
}

// entraNumber is table A5 of the contracts.
func entraNumber(n int) row {
	auth := func(code adapters.Code, message, hint adapters.Text) row {
		return row{code: code, class: adapters.Auth, message: message, hint: hint}
	}
	clock := func(r row) row { r.clock = true; return r }
	switch n {
	case 7000215:
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.client_secret_wrong", "the client secret is wrong"),
			mime.NewText("entra.paste_secret_value",
				"paste the secret's Value, not its Secret ID, and check that it belongs to this app"))
	case 7000222:
		return auth(adapters.CodeCredentialExpired, mime.NewText("entra.client_secret_expired", "the client secret has expired"),
			mime.NewText("entra.create_secret",
				"create a new secret in the app registration (Certificates & secrets) and enter it here; a certificate or "+
					"federation spares you the next time"))
	case 7000218:
		return auth(adapters.CodeNoCredential, mime.NewText("entra.no_credential_reached_entra", "no credential reached Entra"),
			mime.NewText("entra.configure_credential",
				"configure a client secret, a certificate or federation in the connection"))
	case 700025:
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.public_client",
			"the app is registered as a public client, which takes no secret"),
			mime.NewText("entra.use_confidential_client",
				"use a confidential (web) app registration"))
	case 700016, 700011:
		return auth(adapters.CodeAppUnknown, mime.NewText("entra.unknown_app", "this tenant does not know the app"),
			mime.NewText("entra.check_client_or_consent",
				"check tenant and client id; in a customer's tenant an administrator must first consent to the app"))
	case 70001, 7000112:
		return auth(adapters.CodeAppUnknown, mime.NewText("entra.app_disabled_tenant", "the app is disabled in this tenant"),
			mime.NewText("entra.enable_sign_in",
				"enable sign-in of the enterprise application (Properties > Enabled for users to sign-in)"))
	case 70002:
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.credential_refused", "Entra does not accept the app's credential"),
			mime.NewText("entra.check_client_and_credential",
				"check client id and credential of the connection"))
	case 90002:
		return auth(adapters.CodeTenantUnknown, mime.NewText("entra.unknown_tenant", "Entra does not know the tenant"),
			mime.NewText("entra.check_tenant_and_cloud",
				"check the tenant id or domain and the cloud; the subscription may also have ended"))
	case 900023:
		return auth(adapters.CodeTenantUnknown, mime.NewText("entra.tenant_malformed", "the tenant is neither a domain nor an id"),
			mime.NewText("entra.enter_tenant_id",
				"enter the Directory (tenant) ID from the app's overview page"))
	case 90038, 900382, 900432:
		return auth(adapters.CodeTenantUnknown, mime.NewText("entra.other_cloud",
			"the app or tenant belongs to another national cloud"),
			mime.NewText("entra.choose_cloud",
				"choose the right cloud in the connection: public, gcchigh, dod or china"))
	case 700027, 50012, 1000502, 7000273, 7000274, 5002730: // the last four: not in its validity, invalid or not found
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.signature_refused",
			"Entra does not accept the certificate's signature"),
			mime.NewText("entra.upload_certificate",
				"upload the public certificate to the app registration (Certificates & secrets) and compare the thumbprints"))
	case 700030:
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.subject_name_not_authorised",
			"the certificate's subject name is not authorised for the app"),
			mime.NewText("entra.fix_subject_name",
				"fix the subject name and issuer in the app's configuration, or upload the certificate itself"))
	case 50013, 500133:
		return clock(auth(adapters.CodeCredentialRefused, mime.NewText("entra.assertion_invalid",
			"Entra finds the signed assertion invalid or outside its time"),
			mime.NewText("entra.check_clock_or_validity",
				"check this machine's clock and the validity of the certificate or federated token")))
	case 700024:
		return clock(auth(adapters.CodeClockWrong, mime.NewText("entra.assertion_out_of_time",
			"the signed assertion is outside its time range"),
			mime.NewText("entra.check_clock_or_token_file",
				"check this machine's clock (NTP), and for federation that the token file is renewed")))
	case 700021, 50048:
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.assertion_made_another_app", "the assertion was made for another app"),
			mime.NewText("entra.match_federated_token",
				"give the federated token the issuer and subject that the app registration expects, and check the client id"))
	case 700023:
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.assertion_for_other_tenant",
			"the assertion was made for another tenant or token address"),
			mime.NewText("entra.check_federated_audience",
				"check tenant and cloud; a federated token needs the audience api://AzureADTokenExchange"))
	case 70021, 700211, 700212, 700213, 7002131:
		what := mime.NewText("entra.issuer_subject_audience", "issuer, subject or audience")
		switch n {
		case 700211:
			what = mime.NewText("entra.issuer", "issuer")
		case 700212:
			what = mime.NewText("entra.audience", "audience")
		case 700213, 7002131:
			what = mime.NewText("entra.subject", "subject")
		}
		return auth(adapters.CodeCredentialRefused, mime.NewText("entra.no_federated_credential",
			"no federated credential of the app matches the token's {what}", "what", what),
			mime.NewText("entra.compare_federated_credential",
				"compare issuer, subject and audience of the federated credential with the token, letter by letter"))
	case 500011:
		return auth(adapters.CodeServiceDisabled, mime.NewText("entra.no_such_service",
			"this tenant does not have the service that the token is for"),
			mime.NewText("entra.check_cloud_or_licences",
				"check the cloud; for SMTP check that the tenant has Exchange Online licences"))
	case 70011, 1002012, 700022:
		return auth(adapters.CodePermissionMissing, mime.NewText("entra.scope_refused", "Entra does not accept the scope"),
			mime.NewText("entra.check_cloud_and_scope",
				"check the cloud of the connection; the scope is one resource with /.default"))
	case 900144:
		return auth(adapters.CodeCommandRefused, mime.NewText("entra.token_request_lacks_parameter", "the token request lacks a parameter"),
			mime.NewText("entra.check_all_or_report",
				"check tenant, client id and credential; if they are complete, report this as a fault of postino"))
	case 65001, 650052, 650056:
		return auth(adapters.CodePermissionMissing, mime.NewText("entra.no_consent",
			"an administrator has not consented to the app's permissions"),
			mime.NewText("entra.grant_consent",
				"grant admin consent in the app registration (API permissions)"))
	case 50126:
		return auth(adapters.CodeGarbage, mime.NewText("entra.user_password",
			"Entra speaks of a user's password, which this program never sends"),
			mime.NewText("entra.check_authority_url",
				"check authority_url: it leads to something else than the token service"))
	case 53003, 530035:
		return auth(adapters.CodeBlockedByPolicy, mime.NewText("entra.blocked_by_policy",
			"Conditional Access or security defaults block the app"),
			mime.NewText("entra.allow_in_conditional_access",
				"allow this app and this machine's address in the Conditional Access policies for workload identities"))
	case 50196:
		return row{code: adapters.CodeThrottled, class: adapters.Throttled, message: mime.NewText("entra.request_loop",
			"Entra sees a loop of token requests and blocks them for a while"),
			hint: mime.NewText("entra.waits_loop",
				"No action needed here, postino waits; look for another program that uses the same app without caching "+
					"its tokens")}
	case 90055:
		return row{code: adapters.CodeThrottled, class: adapters.Throttled, message: mime.NewText("entra.entra_limits_requests_tenant",
			"Entra limits the requests of this tenant"),
			hint: mime.NewText("entra.waits_throttled",
				"No action needed, postino waits; if it goes on, look for programs that ask for tokens too often")}
	case 50033, 90006, 90012, 90024, 90033, 90090:
		return row{code: adapters.CodeProviderFault,
			class: adapters.Transient, message: mime.NewText("entra.entra_passing_fault", "Entra has a temporary fault"),
			hint: mime.NewText("entra.retried",
				"No action needed; postino retries automatically")}
	}
	return row{}
}

// managedRow tells refusals of the identity service on an Azure host.
func managedRow(a answer, status int) (string, row) {
	code := a.code
	if code == "" {
		code = strconv.Itoa(status)
	}
	if status == http.StatusBadRequest || status < 500 && strings.Contains(strings.ToLower(a.description), "identity not found") {
		return code, row{code: adapters.CodeNoCredential, class: adapters.Auth, message: mime.NewText("entra.no_managed_identity",
			"this machine does not have the managed identity"),
			hint: mime.NewText("entra.assign_identity",
				"assign the identity to the machine in the Azure portal, and check client_id of a user-assigned one")}
	}
	return code, row{code: adapters.CodeProviderFault, class: adapters.Transient, message: mime.NewText("entra.managed_identity_failed",
		"the managed identity service of this machine gave no token ({status})", "status", status),
		hint: mime.NewText("entra.retried_check_azure",
			"postino retries automatically; if this goes on, check that the machine is an Azure host with an identity "+
				"(it is asked directly, never through HTTP_PROXY)")}
}

func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw) //nolint:gosec // what the Entra page shows
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
