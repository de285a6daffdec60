package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
)

// CredentialsError says that AWS does not let the caller in: there are no
// credentials, they have expired, or they do not allow what is needed. Its
// text ends in what to do, the command that renews a login included.
type CredentialsError struct {
	Remedy string
	Err    error
}

func (e *CredentialsError) Error() string {
	return fmt.Sprintf("AWS credentials: %v\n%s", e.Err, e.Remedy)
}

func (e *CredentialsError) Unwrap() error { return e.Err }

// IsCredentials reports whether err is for want of credentials that work.
func IsCredentials(err error) bool {
	var c *CredentialsError
	return errors.As(err, &c)
}

// login gives the remedy for credentials that are missing or expired.
type login struct {
	profile string // empty where none was chosen
	command string // what renews that profile's login; empty where none is known
}

// newLogin looks up among what the configuration was read from how the
// profile in use was logged in.
func newLogin(cfg aws.Config) (l login) {
	for _, source := range cfg.ConfigSources {
		shared, ok := source.(config.SharedConfig)
		if !ok {
			continue
		}
		if shared.Profile != config.DefaultSharedConfigProfile {
			l.profile = shared.Profile
		}
		switch {
		case shared.SSOSession != nil || shared.SSOStartURL != "":
			l.command = "aws sso login"
		case shared.LoginSession != "":
			l.command = "aws login"
		}
	}
	if l.command != "" && l.profile != "" {
		l.command += " --profile " + l.profile
	}
	return l
}

func (l login) remedy() string {
	if l.command != "" {
		return "log in again by `" + l.command + "`"
	}
	if os.Getenv("AWS_ACCESS_KEY_ID") != "" {
		return "the keys are those of AWS_ACCESS_KEY_ID in the environment: export new ones,\nor unset them and choose a profile by -profile NAME or `export AWS_PROFILE=NAME`"
	}
	if l.profile != "" {
		return fmt.Sprintf("`aws configure list-profiles` lists the profiles; `aws sso login --profile %[1]s` or `aws login --profile %[1]s` logs in", l.profile)
	}
	return "log in by `aws sso login --profile NAME` or `aws login`, and choose that profile by -profile NAME or `export AWS_PROFILE=NAME`"
}

// provider marks the errors of the chain behind it.
type provider struct {
	aws.CredentialsProvider
	login login
}

func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = &CredentialsError{p.login.remedy(), err}
	}
	return c, err
}

// refused returns the CredentialsError that an answer of AWS amounts to, or
// nil: what it says of expired or unknown credentials, and of such that do
// not allow action on the resource.
func (l login) refused(err error, action, resource string) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return nil
	}
	switch strings.TrimSuffix(api.ErrorCode(), "Exception") {
	case "ExpiredToken", "RequestExpired", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature",
		"SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken", "AuthFailure", "InvalidAccessKeyId":
		return &CredentialsError{l.remedy(), fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())}
	case "AccessDenied", "NotAuthorized", "UnauthorizedOperation":
		return &CredentialsError{
			fmt.Sprintf("they must allow states:%s on %s: add it to the role's policy, or choose other credentials by -profile", action, resource),
			fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage()),
		}
	}
	return nil
}
