package stepfunctions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambda-parallel-io/tune/stepfunctions"
)

// config writes a shared AWS configuration whose profiles sso and console have no valid login.
func config(t *testing.T) {
	t.Helper()
	const text = `
[default]
region = eu-west-1
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = tuner
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
[profile console]
login_session = arn:aws:iam::123456789012:user/me
`
	home := t.TempDir()
	name := filepath.Join(home, "config")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("AWS_CONFIG_FILE", name)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
}

func TestMissingCredentialsAreReportedWithTheCommandThatGetsThem(t *testing.T) {
	for _, test := range []struct{ profile, variable, want string }{
		{"", "", "log in again by `aws sso login` or `aws login`"},
		{"sso", "", "log in again by `aws sso login` or `aws login`"},
		{"", "sso", "--profile NAME or `export AWS_PROFILE=NAME` chooses one"},
		{"console", "", "log in again by `aws sso login` or `aws login`"},
		{"nobody", "", "`aws configure list-profiles` lists the profiles"},
		{"", "nobody", "`aws configure list-profiles` lists the profiles"},
	} {
		environment(t, "http://127.0.0.1:1")
		config(t)
		t.Setenv("AWS_PROFILE", test.variable)
		_, err := stepfunctions.New(t.Context(), stepfunctions.Target{StateMachine: machine, Function: function, Region: "eu-west-1", Profile: test.profile})
		if !stepfunctions.IsCredentials(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(--profile %q, AWS_PROFILE=%q) = %v, want an error of credentials with %q", test.profile, test.variable, err, test.want)
		}
	}
}

func TestCredentialsThatAWSRefusesAreReportedWithARemedy(t *testing.T) {
	for code, want := range map[string]string{
		"ExpiredTokenException":       "export new keys if AWS_ACCESS_KEY_ID is set",
		"UnrecognizedClientException": "export new keys if AWS_ACCESS_KEY_ID is set",
		"InvalidSignatureException":   "export new keys if AWS_ACCESS_KEY_ID is set",
		"AccessDeniedException":       "they must allow states:StartExecution on " + machine,
	} {
		srv, tuner := setup(t, "StartExecution="+code+":1000")
		c := threeVariants()
		_, err := tune(t, t.Context(), tuner, c)
		if !stepfunctions.IsCredentials(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: Tune = %v, want an error of credentials with %q", code, err, want)
		}
		if n := count(srv, "StartExecution"); n != 1 {
			t.Errorf("%s: StartExecution was tried %d times, want once", code, n)
		}
	}
}

func TestALoginThatExpiresBetweenPollsNamesTheExecutionAndCanBeResumed(t *testing.T) {
	srv, tuner := setup(t, "DescribeExecution=ExpiredTokenException@1")
	c := threeVariants()
	_, err := tune(t, t.Context(), tuner, c)
	arn := srv.Executions()[0].ARN
	if !stepfunctions.IsCredentials(err) || !strings.Contains(err.Error(), "the execution of sequential goes on") || !strings.Contains(err.Error(), arn) {
		t.Fatalf("Tune = %v, want an error of credentials that names %s", err, arn)
	}
	if _, err := tune(t, t.Context(), tuner, saved(t, c)); err != nil || len(srv.Executions()) != 3 {
		t.Errorf("Tune after a new login = %v with %d executions, want nil and 3", err, len(srv.Executions()))
	}
}
