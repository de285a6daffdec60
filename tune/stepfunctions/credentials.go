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
	switch {
	case l.command != "":
		return "log in again by `" + l.command + "`"
	case os.Getenv("AWS_ACCESS_KEY_ID") != "":
		return "the keys are those of AWS_ACCESS_KEY_ID in the environment: export new ones,\nor unset them and choose a profile by --profile NAME or `export AWS_PROFILE=NAME`"
	case l.profile != "":
		return fmt.Sprintf("`aws configure list-profiles` lists the profiles; `aws sso login --profile %[1]s` or `aws login --profile %[1]s` logs in", l.profile)
	}
	return "log in by `aws sso login --profile NAME` or `aws login`, and choose that profile by --profile NAME or `export AWS_PROFILE=NAME`"
}

// provider marks the errors of the chain behind it.
type provider struct {
	aws.CredentialsProvider
	login login
}

func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = noCredentials(err, p.login.remedy())
	}
	return c, err
}
