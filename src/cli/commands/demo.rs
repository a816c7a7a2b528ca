//! `jobdeck demo`: the dashboard over simulated services, or the services alone.

use std::io::{self, IsTerminal};

use super::dashboard;
use crate::cli::args::{CommonArgs, DemoArgs};
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::demo::serve::serve as serve_alone;
use crate::demo::{DemoError, DemoOptions};
use crate::stderr::Stderr;

/// Runs the services alone until a signal ends them. Starts its own runtime.
pub fn serve(demo: &DemoArgs) -> Result<u8, Failure> {
    serve_alone(options(demo), &mut StdoutWriter::new(), &mut Stderr::default())?;
    Ok(0)
}

/// Runs the dashboard over the services.
pub async fn run(common: &CommonArgs, demo: &DemoArgs) -> Result<u8, Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::usage("the demo's dashboard needs a terminal").help(
            "run it in one, or use `jobdeck demo --serve`, which prints a jobs \
             file and runs only the simulated services",
        ));
    }
    let services = crate::demo::Demo::start(options(demo))?;
    dashboard::run_demo(common, &services).await
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        let message = error.to_string();
        match error {
            DemoError::Option(_) | DemoError::Listen { .. } => Self::usage(message),
            DemoError::Start(_) | DemoError::Scenario(_) | DemoError::Print(_) => Self::internal(message),
        }
    }
}

fn options(demo: &DemoArgs) -> DemoOptions {
    let DemoArgs { jobs, seed, speed, serve: _, port } = *demo;
    let usual = DemoOptions::default();
    DemoOptions { jobs: jobs.unwrap_or(usual.jobs), seed, speed, port, ..usual }
}
