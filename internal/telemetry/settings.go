package telemetry

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are what the OTEL_* variables say. They are those of the
// OpenTelemetry specification, "Environment Variable Specification" and "OTLP
// Exporter Configuration"; of an exporter's, the variant for traces comes first.
type settings struct {
	url      string
	header   http.Header
	gzip     bool
	client   *http.Client
	pause    time.Duration // between two exports
	sampler  sampler
	resource []attribute
	version  string
}

// read returns nil where nothing asks for traces.
func read(o Options) (*settings, error) {
	env := func(name string) string { return strings.TrimSpace(o.Getenv(name)) }
	otlp := func(name string) string {
		return cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_"+name), env("OTEL_EXPORTER_OTLP_"+name))
	}
	exporter := env("OTEL_TRACES_EXPORTER")
	switch {
	case strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || exporter == "none":
		return nil, nil
	case exporter == "" && otlp("ENDPOINT") == "":
		return nil, nil
	case exporter != "" && exporter != "otlp":
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: only otlp and none are known here", exporter)
	}
	protocol := otlp("PROTOCOL")
	if protocol != "" && protocol != "http/json" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: only OTLP/HTTP is spoken here (http/json), usually at port 4318", protocol)
	}
	s := &settings{gzip: otlp("COMPRESSION") == "gzip", version: o.Version}
	var err error
	if s.url, err = endpoint(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env("OTEL_EXPORTER_OTLP_ENDPOINT")); err != nil {
		return nil, err
	}
	// 4317 is the port of gRPC (OTLP specification, "OTLP/gRPC Default Port"), which answers HTTP with nothing that helps.
	if strings.HasSuffix(strings.TrimSuffix(s.url, "/v1/traces"), ":4317") && protocol == "" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT names port 4317, which is that of gRPC: only OTLP/HTTP is spoken here, usually at " +
			"port 4318; where HTTP answers at 4317, set OTEL_EXPORTER_OTLP_PROTOCOL=http/json")
	}
	if s.header, err = headers(otlp("HEADERS")); err != nil {
		return nil, err
	}
	timeout, err := milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", otlp("TIMEOUT"), 10*time.Second)
	if err != nil {
		return nil, err
	}
	if s.pause, err = milliseconds("OTEL_BSP_SCHEDULE_DELAY", env("OTEL_BSP_SCHEDULE_DELAY"), 5*time.Second); err != nil {
		return nil, err
	}
	roots, err := trusted(otlp("CERTIFICATE"), o.Roots)
	if err != nil {
		return nil, err
	}
	// A redirect would carry the headers, which hold keys, to somewhere else.
	s.client = &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConns: 1,
			IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}}
	if s.sampler, err = samplerOf(env("OTEL_TRACES_SAMPLER"), env("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, err
	}
	s.resource, err = resource(env("OTEL_RESOURCE_ATTRIBUTES"), env("OTEL_SERVICE_NAME"), o)
	return s, err
}

// endpoint is where traces go: the address for traces as it is, or the common one
// with the path of traces.
func endpoint(traces, common string) (string, error) {
	raw := traces
	if raw == "" {
		raw = cmp.Or(common, "http://localhost:4318")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" { // err holds the address, and that perhaps a password
		return "", errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is no address of the form http://collector:4318")
	}
	if traces == "" {
		u = u.JoinPath("v1", "traces")
	}
	return u.String(), nil
}

// headers are key=value, separated by commas, with %XX in values.
func headers(list string) (http.Header, error) {
	h := http.Header{}
	for name, value := range pairs(list) {
		value, err := url.PathUnescape(value)
		if err != nil || name == "" || strings.ContainsAny(name+value, "\r\n\x00") {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS is no list of the form name=value,name=value")
		}
		h.Set(name, value)
	}
	return h, nil
}

func pairs(list string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for part := range strings.SplitSeq(list, ",") {
			name, value, _ := strings.Cut(part, "=")
			if part = strings.TrimSpace(part); part != "" && !yield(strings.TrimSpace(name), strings.TrimSpace(value)) {
				return
			}
		}
	}
}

func milliseconds(name, value string, otherwise time.Duration) (time.Duration, error) {
	if value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 || n > 3_600_000 {
		return 0, fmt.Errorf("%s is %q: milliseconds are expected", name, value)
	}
	return time.Duration(n) * time.Millisecond, nil
}

func trusted(file string, otherwise *x509.CertPool) (*x509.CertPool, error) {
	if file == "" {
		return otherwise, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

func samplerOf(name, arg string) (sampler, error) {
	name = cmp.Or(name, "parentbased_always_on")
	if !slices.Contains(samplers(), name) {
		return sampler{}, fmt.Errorf("OTEL_TRACES_SAMPLER is %q, none of %s", name, strings.Join(samplers(), ", "))
	}
	s := sampler{ratio: 1}
	kind, byParent := strings.CutPrefix(name, "parentbased_")
	s.byParent = byParent
	switch {
	case kind == "always_off":
		s.ratio = 0
	case kind == "traceidratio" && arg != "":
		ratio, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			return s, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q: a number from 0 to 1 is expected", arg)
		}
		s.ratio = ratio
	}
	return s, nil
}

// resource says who sends the spans: the program, its node, and what the
// environment adds.
func resource(list, service string, o Options) ([]attribute, error) {
	out := []attribute{text("service.name", "postino"), text("service.version", o.Version), text("service.instance.id", o.Node)}
	set := func(key, value string) {
		i := slices.IndexFunc(out, func(a attribute) bool { return a.Key == key })
		if i < 0 {
			i, out = len(out), append(out, attribute{})
		}
		out[i] = text(key, value)
	}
	for name, value := range pairs(list) {
		value, err := url.PathUnescape(value)
		if err != nil || name == "" {
			return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES is no list of the form name=value,name=value")
		}
		set(name, value)
	}
	if service != "" {
		set("service.name", service)
	}
	return out, nil
}
