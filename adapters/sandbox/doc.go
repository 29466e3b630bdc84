// Package sandbox is fake Entra, Microsoft Graph, Google, Gmail and SMTP servers on
// loopback, as strict as the real ones are known to be, for tests of programs that
// send mail.
//
//	s, err := sandbox.Start(sandbox.Options{Dir: t.TempDir()})
//	defer s.Close()
//	conn := s.GraphConnection("erp@contoso.example") // complete, with its secret
//	... send over conn, with s.HTTPClient(), s.CertPool() or the CA in s.CAFile() ...
//	for _, d := range s.Deliveries() { ... }
//
// They are real servers: TLS with a private CA made at the start, real tokens, real
// uploads, messages streamed to disk. What is not known for certain about a provider
// is a field of Switches; what goes wrong is a Fault.
//
// # Who exists
//
// A mailbox is every address that a connection was asked for: GraphConnection and the
// others make theirs, the control those of GET /connections. Any other is no user: Graph
// answers 404 ErrorInvalidUser, Google refuses the token, SMTP the login. Graph refuses a
// From that is not the mailbox's own address (403 ErrorSendAsDenied, Switches.GraphFrom).
// With Options.AnyMailbox every address is a mailbox and may send as any other. A
// Directory says more exactly who exists; see below.
//
// These local parts (any domain) are mailboxes that Graph refuses: nouser (404
// ErrorInvalidUser), notfound (404 ResourceNotFound), nomailbox and onprem (404
// MailboxNotEnabledForRESTAPI), blocked (403, the text of an ApplicationAccessPolicy),
// denied (403 ErrorAccessDenied), disabled (403 ErrorAccountDisabled), moving (423),
// full (400 ErrorQuotaExceeded when something is stored). Recipients always exist: nothing bounces.
//
// The directory has the tenants and applications of the constants. Graph accepts an
// application with consent (Mail.Send and Mail.ReadWrite as roles) or, with
// Switches.GraphRoles off, with RBAC for Applications. Concurrency is counted for
// each application and mailbox.
//
// For Google, unknown... is no user (the token is refused), nolicense... has no
// Gmail; alias... of the mailbox's domain is a verified sender. The service account
// is delegated gmail.send, https://mail.google.com/ and, by switch, gmail.readonly.
//
// For SMTP every mailbox is a login with the password that SMTPConnection returns,
// except unknown...; noaccess... is refused tokens. Senders deny... are refused with
// 554 5.2.252 and dailylimit... with 550 5.4.5, both at the end of the message.
// Recipients name+CODE@... (CODE 400 to 599) are refused with that code, such as
// unknown+550@ and greylisted+451@; once+CODE@... only the first time for each
// sender. With SMTPStyle "exchange" a sender who is neither the login nor an alias...
// is denied too, and five denials throttle the mailbox until Reset.
//
// A Directory (Options.Directory, or PUT /directory) replaces these conventions: an
// address that it does not list has no mailbox, and a sender who is neither the
// mailbox's own address nor one that it has a right to is refused: Graph answers 403
// ErrorSendAsDenied, SMTP 554 5.2.252, and Gmail replaces From. Recipients exist all
// the same.
//
// # The vendors' own addresses
//
// With Options.ProxyAddr the sandbox answers CONNECT for login.microsoftonline.com,
// graph.microsoft.com, outlook.office.com, oauth2.googleapis.com, gmail.googleapis.com,
// www.googleapis.com, smtp.office365.com, smtp.gmail.com and their like, national clouds
// included, under its own CA: a program that takes HTTPS_PROXY and trusts the CA needs
// no other setting. Addresses in answers are the vendors' then. Any other host is
// refused.
//
// # Faults
//
// A Fault names a service and an operation. The operations, which are also the names
// in Counters:
//
//	entra   token, discovery, instance, managed                   Match: tenant as in the URL
//	graph   sendMail, create, send, get, list, count, patch, move,
//	        copy, delete, reply, replyAll, forward, createReply,
//	        createReplyAll, createForward, folders, folder,
//	        createFolder, patchFolder, deleteFolder, attach,
//	        attachments, attachment, detach, createUploadSession,
//	        getMime, putMime, user                                Match: mailbox
//	upload  chunk, status, cancel                                 Match: mailbox
//
//	google  token                                                 Match: subject
//	gmail   send, start, chunk, status (resumable uploads; the last
//	        chunk is a send), search, get, attachment, profile,
//	        sendAs, drafts, draft, createDraft, updateDraft,
//	        deleteDraft, sendDraft, threads, thread, modify, trash,
//	        untrash, delete, batchModify, batchDelete, labels,
//	        label, createLabel, updateLabel, deleteLabel          Match: mailbox
//	smtp    connect, ehlo, starttls, auth, mail, rcpt, data, dot
//	        (the end of a message), rset, noop, quit              Match: login
//
// Counters has google.token and so on, smtp.message, smtp.auth_refused and smtp.violation (see
// SMTPViolations), graph.batch, proxy.connect and proxy.refused. Gmail's Code is a
// reason, such as rateLimitExceeded, or
// mailSendingLimit (429, the daily limit with RetryAfter in the text) or
// concurrentRequests. For smtp, Reply is the reply; with After and nothing else the
// connection ends without one. Without After a fault acts when the request was read
// and before anything is done; with After when the message was delivered and before
// the answer. Code is an error code in the provider's shape: an AADSTS number for
// entra.
//
// # Control
//
// ControlURL answers plain HTTP with JSON, for programs in other processes; durations
// are nanoseconds.
//
//	GET    /                    this list, in short
//	GET    /deliveries          array of Delivery, in order; ?service= ?mailbox= ?since=SEQ ?limit=N
//	GET    /deliveries/SEQ/raw  the bytes as received; ?view=shown: as a recipient sees them
//	GET    /counters            {"counters":{"graph.sendMail":1},"max_in_flight":{"graph":1}}
//	GET    /faults              the faults that are not used up
//	POST   /faults              one Fault; 201
//	DELETE /faults              204
//	GET    /switches            Switches
//	PATCH  /switches            the fields to change; answers Switches
//	POST   /reset               204, see Reset
//	GET    /connections         a connection of each kind with its secrets, which open nothing but this sandbox; ?from=ADDRESS
//	GET    /directory           the Directory in force; 404 without one
//	PUT    /directory           one Directory; answers it
//	POST   /certificates        the body, PEM or DER, is registered on the applications; 201
//	GET    /ca.pem              the private CA
//	GET    /msi/token           a managed identity, see ManagedIdentityEnv
//	GET    /computeMetadata/... the metadata server of Google Cloud, see MetadataEnv
//
// An error is {"error":"..."} with status 400, 404 or 500.
package sandbox
