/** The first tab: what the server is, one install, and how to follow it. */
export const EXAMPLES = `# ▶ asks which of the three to run;
# Ctrl-Enter runs the one under the cursor.

query System {
  system {
    version
    mode
    uptime
    subsystems { name state message }
    storage { location root available capacity }
  }
}

# Any repository of the hub. Answers at once;
# a job does the work.
mutation Install {
  weightsInstall(input: {hubRepo: "acme/tiny-llama"}) {
    job { id state }
    joined
    userErrors { field code message hint }
  }
}

# Put the id of that job here: its state now,
# then every change until the end.
subscription Follow {
  jobUpdated(id: "job_…") {
    state
    stage
    progress
    bytesDone
    bytesTotal
    bytesPerSecond
    eta
    error { code message hint }
  }
}
`;
