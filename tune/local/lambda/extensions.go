package lambda

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// extensions serves the Lambda Extensions API to extensions inside the function's
// process. They must register for no event. A registered function gets a SIGTERM
// before its end: aws-lambda-go's WithEnableSIGTERM registers for that.
// Source: AWS Lambda Developer Guide, "Using the Lambda Extensions API to create extensions".
func (api *runtimeAPI) extensions(mux *http.ServeMux, name string) {
	const apiPrefix, identifier = "/2020-01-01/extension/", "Lambda-Extension-Identifier"
	mux.HandleFunc("POST "+apiPrefix+"register", func(w http.ResponseWriter, r *http.Request) {
		var wanted struct{ Events []string }
		if json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&wanted) != nil {
			reply(w, http.StatusBadRequest, &FunctionError{"InvalidRequestFormat", "the body must be a JSON object with events"})
			return
		}
		if len(wanted.Events) > 0 {
			refusal := fmt.Sprintf("extension %s asks for %s: the local model hands no event to extensions; register for none, or measure on AWS",
				r.Header.Get("Lambda-Extension-Name"), strings.Join(wanted.Events, " and "))
			api.http.ErrorLog.Print(refusal)
			reply(w, http.StatusForbidden, &FunctionError{"Extension.InvalidEventType", refusal})
			return
		}
		id := uuid.NewString()
		api.registered.Store(id, nil)
		w.Header().Set(identifier, id)
		reply(w, http.StatusOK, map[string]string{"functionName": name, "functionVersion": "$LATEST", "handler": "bootstrap"})
	})
	mux.HandleFunc("GET "+apiPrefix+"event/next", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := api.registered.Load(r.Header.Get(identifier)); !ok {
			reply(w, http.StatusForbidden, &FunctionError{"Extension.UnknownExtensionIdentifier", "no extension has registered as this " + identifier})
			return
		}
		<-r.Context().Done() // there is no event
	})
}

// extended reports whether the process has an extension.
func (api *runtimeAPI) extended() (yes bool) {
	api.registered.Range(func(_, _ any) bool { yes = true; return false })
	return yes
}
