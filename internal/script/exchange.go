package script

import (
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// exchange allows the application to send from its mailboxes and from no other
// (RBAC for Applications, contracts B8.4; by SMTP D2.3, D2.6).
func (w *writer) exchange(c Connection) error {
	if err := c.check(Exchange); err != nil {
		return err
	}
	if c.ClientID == "" {
		return texterr.New(mime.NewText("script.exchange_no_client",
			"the connection has no client_id: run the script for entra first, and put its values into the connection"))
	}
	role := "Application Mail.Send"
	if c.SMTP {
		role = "Application SMTP.SendAsApp"
	}
	w.exchangeHead(c, role)
	w.exchangePrincipal()
	w.blank()
	w.exchangeScope(c)
	w.blank()
	w.exchangeRoles(c)
	w.exchangeSenders(c)
	w.blank()
	w.exchangeTest(c)
	return nil
}

func (w *writer) exchangeHead(c Connection, role string) {
	w.comment(mime.NewText("script.exchange_title", "postino: Exchange Online allows the application of the connection {name} to send, "+
		"from its mailboxes only (RBAC for Applications).", "name", c.Name))
	w.comment(mime.NewText("script.exchange_where", "Where: PowerShell 7 on Windows, macOS or Linux, or Azure Cloud Shell (shell.azure.com)."))
	w.comment(mime.NewText("script.exchange_module",
		"Modules: Install-Module ExchangeOnlineManagement, Microsoft.Graph.Applications -Scope CurrentUser"))
	w.comment(mime.NewText("script.exchange_role",
		"Role: member of the role group Organization Management in Exchange (Exchange Administrator alone may not assign these roles)."))
	w.comment(mime.NewText("script.exchange_time", "Takes 30 minutes to 2 hours. Until then sending is refused (403) and postino keeps "+
		"the mail; requests meanwhile can prolong the wait. The test at the end of this script looks past the cache."))
	w.comment(mime.NewText("script.again", "Can be run again: what is there already stays."))
	w.line("$ErrorActionPreference = 'Stop'")
	w.line("$tenant = %s", powerShell(c.Tenant))
	w.line("$clientId = %s", powerShell(c.ClientID))
	name := short("postino "+c.Name, 64) // the most of a management scope
	w.line("$name = %s", powerShell(name))
	w.line("$role = '%s'", role)
	if c.Domain != "" {
		w.line("$domain = %s", powerShell(c.Domain))
	} else {
		w.line("$mailboxes = @(%s)", powerShell(c.Mailbox))
	}
	w.blank()
	w.line("Connect-MgGraph -TenantId $tenant -Scopes 'Application.Read.All' -NoWelcome")
	w.line("Connect-ExchangeOnline -ShowBanner:$false")
	w.blank()
}

// exchangePrincipal registers the application by the object id of its
// enterprise application: that of the registration is taken and has no effect.
func (w *writer) exchangePrincipal() {
	w.comment(mime.NewText("script.exchange_principal",
		"1. The application in Exchange, by the object id of its ENTERPRISE APPLICATION: that of the app registration has no effect."))
	w.line("$enterprise = Get-MgServicePrincipal -Filter \"appId eq '$($clientId -replace \"'\", \"''\")'\"")
	w.line("if (-not $enterprise) { throw %s }", powerShell(mime.NewText("script.exchange_no_enterprise",
		"The tenant has no enterprise application with this client id: run the script for entra first.").In(w.lang)))
	w.line("$principal = Get-ServicePrincipal | Where-Object { $_.AppId -eq $clientId }")
	w.line("if ($principal -and \"$($principal.ObjectId)\" -ne $enterprise.Id) {")
	w.line("    Remove-ServicePrincipal -Identity $principal.ObjectId -Confirm:$false # %s", plain(mime.NewText("script.exchange_wrong_object",
		"it was registered with another object id").In(w.lang)))
	w.line("    $principal = $null")
	w.line("}")
	w.line("if (-not $principal) {")
	w.line("    $principal = New-ServicePrincipal -AppId $clientId -ObjectId $enterprise.Id -DisplayName $name")
	w.line("}")
}

// exchangeScope makes a scope that matches the mailboxes by their own
// addresses, and proves that it does. A filter by CustomAttribute1 matches
// nothing until the attribute is set on each mailbox.
func (w *writer) exchangeScope(c Connection) {
	w.comment(mime.NewText("script.exchange_scope", "2. The mailboxes that it may send from, by their addresses. Shared mailboxes count too, "+
		"and need no licence."))
	if c.Domain != "" {
		w.line("$filter = \"EmailAddresses -like '*@$($domain -replace \"'\", \"''\")'\"")
		w.line("$mailboxes = @(Get-EXOMailbox -Filter $filter -ResultSize 1 | ForEach-Object { $_.PrimarySmtpAddress })")
		w.line("if (-not $mailboxes) { throw %s }", powerShell(mime.NewText("script.exchange_no_mailboxes",
			"No mailbox has an address of this domain.").In(w.lang)))
	} else {
		w.line("$primary = @($mailboxes | ForEach-Object { (Get-EXOMailbox -Identity $_).PrimarySmtpAddress })")
		w.line("$filter = ($primary | ForEach-Object { \"PrimarySmtpAddress -eq '$($_ -replace \"'\", \"''\")'\" }) -join ' -or '")
		w.line("$mailboxes = $primary")
	}
	w.line("if (Get-ManagementScope | Where-Object { $_.Name -eq $name }) {")
	w.line("    Set-ManagementScope -Identity $name -RecipientRestrictionFilter $filter")
	w.line("} else {")
	w.line("    $null = New-ManagementScope -Name $name -RecipientRestrictionFilter $filter")
	w.line("}")
	w.line("$matched = @(Get-Recipient -RecipientPreviewFilter $filter -ResultSize Unlimited | ForEach-Object { $_.PrimarySmtpAddress })")
	w.line("$missing = @($mailboxes | Where-Object { $_ -notin $matched })")
	w.line("if ($missing) { throw (%s + ' ' + ($missing -join ', ')) }", powerShell(mime.NewText("script.exchange_missing",
		"The scope does not match these mailboxes:").In(w.lang)))
	w.line("Write-Host %s ($matched -join ', ')", powerShell(mime.NewText("script.exchange_matched",
		"The scope matches:").In(w.lang)))
}

func (w *writer) exchangeRoles(c Connection) {
	w.comment(mime.NewText("script.exchange_assignment", "3. The role, in this scope only."))
	w.line("$roles = @($role)")
	if !c.SMTP {
		w.comment(mime.NewText("script.exchange_readwrite", "Mail.ReadWrite is needed for messages over 3 MB and to look up an unknown outcome; "+
			"it lets postino read these mailboxes. Set $readWrite to $true to allow it."))
		w.line("$readWrite = $false")
		w.line("if ($readWrite) { $roles += 'Application Mail.ReadWrite' }")
	}
	w.line("foreach ($r in $roles) {")
	w.line("    $assigned = Get-ManagementRoleAssignment -RoleAssignee $enterprise.Id -Role $r -ErrorAction SilentlyContinue")
	w.line("    if (-not ($assigned | Where-Object { $_.CustomResourceScope -eq $name })) {")
	w.line("        $null = New-ManagementRoleAssignment -App $enterprise.Id -Role $r -CustomResourceScope $name")
	w.line("    }")
	w.line("}")
	if c.SMTP {
		w.blank()
		w.comment(mime.NewText("script.exchange_smtp", "SMTP AUTH must be on for each mailbox, with OAuth too. Do not add the API permission "+
			"SMTP.SendAsApp in Entra: it would ask for FullAccess besides."))
		w.line("foreach ($m in $mailboxes) { Set-CASMailbox -Identity $m -SmtpClientAuthenticationDisabled $false }")
	}
}

// exchangeSenders lets the mailbox use the further From addresses.
func (w *writer) exchangeSenders(c Connection) {
	var addresses []string
	for _, s := range c.Senders {
		if !strings.HasPrefix(s, "*@") && c.Mailbox != "" && !strings.EqualFold(s, c.Mailbox) {
			addresses = append(addresses, powerShell(s))
		}
	}
	if len(addresses) == 0 {
		return
	}
	w.blank()
	w.comment(mime.NewText("script.exchange_senders",
		"4. Further From addresses: another mailbox needs Send As; an alias of the same mailbox needs sending from aliases, for the tenant."))
	w.line("foreach ($address in @(%s)) {", strings.Join(addresses, ", "))
	w.line("    $recipient = Get-Recipient -Identity $address")
	w.line("    if ($recipient.PrimarySmtpAddress -in $mailboxes) {")
	w.line("        if (-not (Get-OrganizationConfig).SendFromAliasEnabled) { Set-OrganizationConfig -SendFromAliasEnabled $true }")
	w.line("    } else {")
	w.line("        foreach ($m in $mailboxes) {")
	w.line("            $null = Add-RecipientPermission -Identity $recipient.PrimarySmtpAddress -Trustee $m -AccessRights SendAs " +
		"-Confirm:$false")
	w.line("        }")
	w.line("    }")
	w.line("}")
}

func (w *writer) exchangeTest(c Connection) {
	w.comment(mime.NewText("script.exchange_test", "The proof: InScope must be True for each role. The consent in Entra is not seen here."))
	w.line("$wrong = @()")
	w.line("foreach ($m in $mailboxes) {")
	w.line("    $result = Test-ServicePrincipalAuthorization -Identity $enterprise.Id -Resource $m")
	w.line("    $result | Format-Table RoleName, AllowedResourceScope, InScope")
	w.line("    if (-not ($result | Where-Object { $_.RoleName -eq $role -and \"$($_.InScope)\" -eq 'True' })) { $wrong += $m }")
	w.line("}")
	w.line("if ($wrong) { throw (%s + ' ' + ($wrong -join ', ')) }", powerShell(mime.NewText("script.exchange_refused",
		"The application may not send from:").In(w.lang)))
	w.line("Write-Host %s", powerShell(mime.NewText("script.exchange_next",
		"Done. In 30 minutes to 2 hours: postino connection test {name}", "name", word(c.Name)).In(w.lang)))
}
