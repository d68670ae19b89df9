// The pinned build of h2spec, the HTTP/2 conformance tester: `go build github.com/summerwind/h2spec/cmd/h2spec` here.
package tools

import (
	_ "github.com/spf13/cobra"
	_ "github.com/summerwind/h2spec"
)
