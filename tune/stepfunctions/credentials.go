package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// credentialsError is that AWS does not let the caller in: there are no
// credentials, they have expired, or they do not allow what is needed.
type credentialsError struct{ error }

func noCredentials(err error, remedy string) error {
	return credentialsError{fmt.Errorf("AWS credentials: %w\n%s", err, remedy)}
}

// IsCredentials reports whether err is that there are no credentials, or that
// AWS refuses those there are.
func IsCredentials(err error) bool {
	return errors.As(err, new(credentialsError))
}

// howToLogIn is the remedy for credentials that are missing or expired, by how
// the profile was logged in that the configuration was read from.
func howToLogIn(cfg aws.Config) string {
	var shared config.SharedConfig
	for _, source := range cfg.ConfigSources {
		if s, ok := source.(config.SharedConfig); ok {
			shared = s
		}
	}
	profile := ""
	if shared.Profile != config.DefaultSharedConfigProfile {
		profile = " --profile " + shared.Profile
	}
	switch {
	case shared.SSOSession != nil || shared.SSOStartURL != "":
		return "log in again by `aws sso login" + profile + "`"
	case shared.LoginSession != "":
		return "log in again by `aws login" + profile + "`"
	case os.Getenv("AWS_ACCESS_KEY_ID") != "":
		return "the keys are those of AWS_ACCESS_KEY_ID in the environment: export new ones,\nor unset them and choose a profile by --profile NAME or `export AWS_PROFILE=NAME`"
	}
	return "log in by `aws sso login --profile NAME` or `aws login`, and choose that profile by --profile NAME or `export AWS_PROFILE=NAME`"
}

// provider marks the errors of the chain behind it.
type provider struct {
	aws.CredentialsProvider
	remedy string
}

func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = noCredentials(err, p.remedy)
	}
	return c, err
}
