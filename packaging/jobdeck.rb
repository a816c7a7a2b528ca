# The formula as a release fills it in: version, addresses and digests (see .github/workflows/release.yml).
class Jobdeck < Formula
  desc "Terminal dashboard for batches of asynchronous jobs that loses no result"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    url "@HOMEPAGE@/releases/download/v@VERSION@/jobdeck-v@VERSION@-aarch64-apple-darwin.tar.gz"
    sha256 "@SHA256_aarch64-apple-darwin@"
  end

  on_linux do
    on_intel do
      url "@HOMEPAGE@/releases/download/v@VERSION@/jobdeck-v@VERSION@-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256_x86_64-unknown-linux-gnu@"
    end
    on_arm do
      url "@HOMEPAGE@/releases/download/v@VERSION@/jobdeck-v@VERSION@-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256_aarch64-unknown-linux-gnu@"
    end
  end

  def install
    bin.install "jobdeck"
    man1.install "jobdeck.1"
    bash_completion.install "completions/jobdeck.bash" => "jobdeck"
    zsh_completion.install "completions/_jobdeck"
    fish_completion.install "completions/jobdeck.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/jobdeck --version")
    system bin/"jobdeck", "init", "--config", testpath/"jobs.toml"
  end
end
