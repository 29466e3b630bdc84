package tokens

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// noMetadataServer says that this machine is none of Google's.
func noMetadataServer() (message, hint adapters.Text) {
	return mime.NewText("google.no_metadata", "no metadata server of Google Cloud answers on this machine"),
		mime.NewText("google.no_metadata_hint", "keyless works on Google Cloud alone (Compute Engine, GKE, Cloud Run): run postino there, or "+
			"use workload_identity_file or a key; the server is asked directly, never through a proxy")
}

// metadataRow tells refusals of the metadata server (contracts C6.11).
func metadataRow(status int) (string, row) {
	code := strconv.Itoa(status)
	if status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusBadRequest {
		return code, row{code: adapters.CodeNoCredential, class: adapters.Auth,
			message: mime.NewText("google.no_identity", "this machine has no service account of Google Cloud"),
			hint: mime.NewText("google.no_identity_hint", "attach a service account to the machine, or on GKE set up Workload Identity "+
				"Federation for the pod")}
	}
	message, hint := noMetadataServer()
	return code, row{code: adapters.CodeProviderFault, class: adapters.Transient, message: message, hint: hint}
}

// federationRow tells refusals of the token exchange (contracts C6.12).
func federationRow(a answer, status int) (string, row) {
	if status == http.StatusTooManyRequests || status >= 500 {
		return googleRow(a, status)
	}
	message := mime.NewText("google.federation_refused", "Google does not accept the token of this machine's platform")
	switch a.code {
	case "invalid_target":
		return a.code, row{code: adapters.CodeCredentialRefused, class: adapters.Auth,
			message: mime.NewText("google.federation_no_provider", "Google does not know the identity provider of the file, or it is disabled"),
			hint: mime.NewText("google.federation_no_provider_hint", "check the audience in the workload identity file: pool and provider must "+
				"exist and be enabled, and the project's number be right")}
	case "unauthorized_client":
		return a.code, row{code: adapters.CodePermissionMissing, class: adapters.Auth, message: message, hint: mime.NewText(
			"google.federation_condition", "the provider's attribute condition refuses this identity: look at the condition and at the claims "+
				"of the token")}
	}
	return a.code, row{code: adapters.CodeCredentialRefused, class: adapters.Auth, clock: true, message: message, hint: mime.NewText(
		"google.federation_compare", "compare issuer and audience of the token with those of the provider, and check that the platform "+
			"renews the token")}
}

// signRow tells refusals of signJwt (contracts C6.10).
func signRow(a answer, status int, account string) (string, row) {
	switch {
	case status == http.StatusTooManyRequests, status >= 500:
		return googleRow(a, status)
	case status == http.StatusForbidden &&
		(strings.Contains(a.description, "has not been used") || strings.Contains(a.description, "is disabled")):
		return a.code, row{code: adapters.CodeServiceDisabled, class: adapters.Auth,
			message: mime.NewText("google.iam_disabled", "the project has the IAM Service Account Credentials API switched off"),
			hint: mime.NewText("google.iam_disabled_hint", "switch it on: gcloud services enable iamcredentials.googleapis.com; it takes a few "+
				"minutes to work")}
	case status == http.StatusNotFound:
		return a.code, row{code: adapters.CodeAppUnknown, class: adapters.Auth,
			message: mime.NewText("google.no_account", "there is no service account {account}", "account", account),
			hint:    mime.NewText("google.no_account_hint", "check service_account in the connection, and that the account was not deleted")}
	}
	return a.code, row{code: adapters.CodePermissionMissing, class: adapters.Auth,
		message: mime.NewText("google.may_not_sign", "this machine's identity may not sign for the service account {account}",
			"account", account),
		hint: mime.NewText("google.may_not_sign_hint", "grant it the role roles/iam.serviceAccountTokenCreator on that service account, also "+
			"where it is the same one; it takes a few minutes to work")}
}

func federationError(fault adapters.Text) error {
	return misconfigured("workload_identity",
		mime.NewText("google.federation_file", "the workload identity file {fault}", "fault", fault),
		mime.NewText("google.federation_file_hint",
			"make it again with 'gcloud iam workload-identity-pools create-cred-config' and give that file"))
}
