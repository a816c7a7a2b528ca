//! The jobs file of a demo: every service and job of it, ready to be used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use toml::Value;

use super::plan::Planned;
use super::scenario::DemoService;
use super::world::World;
use crate::domain::job::ProviderName;

/// Up to this many jobs, each has its own table and name.
const NAMED: usize = 500;

/// The table that describes the farm's provider.
const RENDER: &str = include_str!("../../assets/demo/render-provider.toml");

/// A command of the user's own: what failed is sent again, and its new id comes into this file.
const RESUBMIT: &str = r#"[[commands]]
name = "resubmit"
key = "R"
run = ["curl", "-gsS", "-X", "POST", "http://HOST/demo/resubmit/{id}"]
when = "state:failed,partial,lost"
confirm = true
adds = "{service}"
"#;

pub fn jobs_file(world: &World, address: SocketAddr) -> String {
    let mut out = String::from("# Made by `jobdeck demo --serve`: these services live until it ends.\n\n");
    // A large batch is read more slowly, so that a read of every job fits into the interval.
    let interval = (world.batch.len() as f64 / 500.0).clamp(1.0, 15.0);
    let _ = writeln!(
        out,
        "[poll]\ninterval = {}\nmax_interval = {}\nnot_found_grace = {}\n",
        duration(world, interval),
        duration(world, interval * 4.0),
        duration(world, 10.0)
    );
    out.push_str(RENDER);
    for service in &world.scenario.services.services {
        write_service(&mut out, service, address);
    }
    let _ = writeln!(out, "{}", RESUBMIT.replace("HOST", &address.to_string()));
    if world.batch.len() <= NAMED {
        for job in &world.batch {
            write_job(&mut out, job);
        }
    } else {
        write_groups(&mut out, world);
    }
    out
}

fn write_service(out: &mut String, service: &DemoService, address: SocketAddr) {
    let provider = service.provider();
    let (key, path) = match provider {
        ProviderName::UNSTRACT => ("url", format!("/deployment/api/{}/{}/", service.organization, service.api)),
        ProviderName::VESSL => ("base_url", format!("/api/v1/services/{}", service.slug)),
        _ => ("base_url", service.path.clone()),
    };
    let _ = writeln!(
        out,
        "[services.{}]\nprovider = \"{provider}\"\n{key} = \"http://{address}{path}\"\n\
         token = {{ command = [\"echo\", \"demo\"] }}\n",
        service.name
    );
}

fn write_job(out: &mut String, job: &Planned) {
    let common = job.kind.common();
    let _ = writeln!(
        out,
        "[[jobs]]\nservice = {}\nid = {}\nname = {}\ntags = {}\n",
        text(&common.service),
        text(&job.id),
        text(&job.name()),
        list(&common.tags)
    );
}

/// Many jobs in a few tables: one for each service and set of tags.
fn write_groups(out: &mut String, world: &World) {
    let mut groups: BTreeMap<(&str, &[String]), Vec<&Planned>> = BTreeMap::new();
    for job in &world.batch {
        let common = job.kind.common();
        groups.entry((&common.service, &common.tags)).or_default().push(job);
    }
    for ((service, tags), jobs) in groups {
        let _ = writeln!(
            out,
            "[[jobs]]\nservice = {}\nname = {}\ntags = {}\nids = [",
            text(service),
            text(service),
            list(tags)
        );
        for job in jobs {
            let _ = writeln!(out, "  {},", text(&job.id));
        }
        out.push_str("]\n\n");
    }
}

/// So many seconds of the demo as a duration of the jobs file, in our time.
fn duration(world: &World, seconds: f64) -> String {
    let real = world.clock.real(seconds).clamp(Duration::from_millis(100), Duration::from_secs(60));
    let millis = real.as_millis();
    text(&if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") })
}

fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|tag| text(tag)).collect::<Vec<_>>().join(", "))
}
