package script

import (
	"encoding/base64"
	"slices"

	"github.com/postino-mail/postino/mime"
)

// entra registers the application, uploads the certificate's public part, and
// shows the values that the connection needs.
func (w *writer) entra(c Connection) error {
	if err := c.check(Entra); err != nil {
		return err
	}
	role := "Mail.Send"
	if c.SMTP {
		role = "SMTP.SendAsApp"
	}
	w.comment(mime.NewText("script.entra_title", "postino: the application of the connection {name} in Microsoft Entra.", "name", c.Name))
	w.comment(mime.NewText("script.entra_where", "Where: PowerShell 7 on any machine, or Azure Cloud Shell (shell.azure.com)."))
	w.comment(mime.NewText("script.entra_module", "Module: Install-Module Microsoft.Graph.Applications -Scope CurrentUser"))
	w.comment(mime.NewText("script.entra_role",
		"Role: Cloud Application Administrator; to give or remove consent also Privileged Role Administrator."))
	w.comment(mime.NewText("script.entra_time", "Takes effect at once; a new certificate within some minutes."))
	w.comment(mime.NewText("script.again", "Can be run again: what is there already stays."))
	w.line("$ErrorActionPreference = 'Stop'")
	w.line("$tenant = %s", powerShell(c.Tenant))
	w.line("$clientId = %s", powerShell(c.ClientID))
	w.line("$name = %s", powerShell(short("postino "+c.Name, 120)))
	w.blank()
	w.line("Connect-MgGraph -TenantId $tenant -Scopes 'Application.ReadWrite.All' -NoWelcome")
	w.blank()
	w.comment(mime.NewText("script.entra_application", "1. The application and its enterprise application."))
	w.line("$fields = 'id', 'appId', 'displayName', 'keyCredentials'")
	w.line("if ($clientId) {")
	w.line("    $app = Get-MgApplication -Filter \"appId eq '$($clientId -replace \"'\", \"''\")'\" -Property $fields")
	w.line("    if (-not $app) { throw %s }", powerShell(mime.NewText("script.entra_no_application",
		"The tenant has no application with this client id: check tenant and client_id of the connection.").In(w.lang)))
	w.line("} else {")
	w.line("    $app = Get-MgApplication -Filter \"displayName eq '$($name -replace \"'\", \"''\")'\" -Property $fields |")
	w.line("        Select-Object -First 1")
	w.line("    if (-not $app) { $app = New-MgApplication -DisplayName $name -SignInAudience 'AzureADMyOrg' }")
	w.line("}")
	w.line("$enterprise = Get-MgServicePrincipal -Filter \"appId eq '$($app.AppId)'\"")
	w.line("if (-not $enterprise) { $enterprise = New-MgServicePrincipal -AppId $app.AppId }")
	w.blank()
	w.certificate(c)
	w.blank()
	w.consent(c, role)
	w.blank()
	w.comment(mime.NewText("script.entra_values", "4. The values for the connection; the object id is for Exchange."))
	w.line("[pscustomobject]@{ tenant = (Get-MgContext).TenantId; client_id = $app.AppId; object_id = $enterprise.Id } | Format-List")
	w.line("Write-Host %s", powerShell(mime.NewText("script.entra_next",
		"Next: postino connection script {name} --for exchange", "name", word(c.Name)).In(w.lang)))
	return nil
}

// certificate adds the public part to those that the application has.
func (w *writer) certificate(c Connection) {
	if len(c.Certificate) == 0 {
		w.comment(mime.NewText("script.entra_no_certificate", "2. The credential: postino has no certificate for this connection yet. "+
			"Make one with: postino connection certificate new {name}", "name", word(c.Name)))
		return
	}
	w.comment(mime.NewText("script.entra_certificate", "2. The public part of the certificate. The private key stays in postino."))
	w.line("$cer = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String(@'")
	for part := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(c.Certificate)), 76) {
		w.line("%s", part)
	}
	w.line("'@))")
	w.line("$hash = [Convert]::ToBase64String($cer.GetCertHash())")
	w.line("$known = $app.KeyCredentials | Where-Object { $_.CustomKeyIdentifier -and " +
		"[Convert]::ToBase64String($_.CustomKeyIdentifier) -eq $hash }")
	w.line("if (-not $known) {")
	w.line("    $new = @{ Type = 'AsymmetricX509Cert'; Usage = 'Verify'; Key = $cer.RawData; DisplayName = 'postino' }")
	w.line("    Update-MgApplication -ApplicationId $app.Id -KeyCredentials (@($app.KeyCredentials | Where-Object { $_ }) + $new)")
	w.line("}")
}

// consent is the wide way, off as the script is printed (contracts B8.5, L17).
func (w *writer) consent(c Connection, role string) {
	resource := "00000003-0000-0000-c000-000000000000" // Microsoft Graph
	if c.SMTP {
		resource = "00000002-0000-0ff1-ce00-000000000000" // Office 365 Exchange Online
	}
	w.comment(mime.NewText("script.consent", "3. Consent: leave it off. The application needs no permission here, because Exchange "+
		"allows it to send from chosen mailboxes (script for exchange). With consent it may send as EVERY mailbox of the tenant, "+
		"and consent and Exchange's permission add up."))
	w.line("$consent = $false")
	w.line("$api = Get-MgServicePrincipal -Filter \"appId eq '%s'\"", resource)
	w.line("$role = $api.AppRoles | Where-Object { $_.Value -eq '%s' -and $_.AllowedMemberTypes -contains 'Application' }", role)
	w.line("$given = Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $enterprise.Id -All |")
	w.line("    Where-Object { $_.ResourceId -eq $api.Id -and $_.AppRoleId -eq $role.Id }")
	w.line("if ($consent -and -not $given) {")
	w.line("    Connect-MgGraph -TenantId $tenant -Scopes 'AppRoleAssignment.ReadWrite.All' -NoWelcome")
	w.line("    $null = New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $enterprise.Id " +
		"-PrincipalId $enterprise.Id -ResourceId $api.Id -AppRoleId $role.Id")
	w.line("}")
	w.line("if ($given -and -not $consent) {")
	w.line("    Write-Warning %s", powerShell(mime.NewText("script.consent_given", "The application has consent for {role}: it may send as "+
		"every mailbox. Once Exchange allows it, remove the consent with:", "role", role).In(w.lang)))
	w.line("    Write-Host 'Connect-MgGraph -Scopes AppRoleAssignment.ReadWrite.All'")
	w.line("    foreach ($g in $given) {")
	w.line("        Write-Host \"Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $($enterprise.Id) " +
		"-AppRoleAssignmentId $($g.Id)\"")
	w.line("    }")
	w.line("}")
}
