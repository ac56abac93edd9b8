"""The worker's settings, by the names of the old system. Times in milliseconds, sizes in MB, as their names say."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, PositiveInt, model_validator

from browser_worker.domain.egress import Egress, host_patterns, site_of
from shared.runtime import ServiceSettings
from shared.runtime.settings import default_backup_session_path, default_session_path


class WorkerSettings(ServiceSettings):
    client_id: str = Field("whatsapp-automation-pro-v2", description="Id of the default session.")
    session_path: Path = Field(
        default_factory=lambda: Path(default_session_path()),
        description="Where profiles live (a volume that outlives a redeploy).",
    )
    backup_session_path: Path = Field(
        default_factory=lambda: Path(default_backup_session_path()), description="Where local saves are kept."
    )
    whatsapp_web_url: str = Field("https://web.whatsapp.com", description="The page that is driven.")
    browser_hosts: str = Field(
        "whatsapp.com, *.whatsapp.com, whatsapp.net, *.whatsapp.net",
        description="Hosts that the browser may reach besides the page's own; `*.` stands for the hosts below a name.",
    )
    browser_hosts_mode: Literal["enforce", "report"] = Field(
        "enforce",
        description="`report` lets other hosts through and names them in the log and in the status; the "
        "machine's own network stays closed.",
    )
    browser: Literal["headless-shell", "chromium"] = Field(
        "headless-shell", description="headless-shell takes about half of the memory; chromium is the full browser."
    )
    browser_executable: Path | None = Field(None, description="A browser other than the one found on the machine.")
    wa_js_path: Path = Field(
        Path("node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js"), description="The pinned wa-js bundle."
    )
    lease_policy: Literal["keep", "fence"] = Field(
        "fence",
        description="What an outage of NATS does: `fence` freezes the browser before the lease can pass to another "
        "worker; `keep` runs on, and is for a single worker only.",
    )
    lease_ttl_ms: PositiveInt = Field(6000, description="How long a silent owner keeps its session.")
    worker_max_sessions: PositiveInt = Field(4, description="How many sessions this worker takes.")
    session_timeout_ms: PositiveInt = Field(45000, description="How long a rung of the ladder may take to connect.")
    browser_timeout_ms: PositiveInt = Field(
        30000,
        validation_alias=AliasChoices("browser_timeout_ms", "puppeteer_timeout_ms"),
        description="How long one call to the browser may take (PUPPETEER_TIMEOUT_MS is accepted too).",
    )
    max_init_retries: PositiveInt = Field(
        3, description="Launches of the browser tried before a restore is considered."
    )
    health_check_interval_ms: PositiveInt = Field(15000, description="How often the browser is measured and checked.")
    reconnect_delay_ms: PositiveInt = Field(5000, description="The first delay between reconnects; it doubles.")
    max_reconnect_attempts: PositiveInt = Field(5, description="Attempts before the slow pace and an alert.")
    backup_interval_ms: PositiveInt = Field(300000, description="How often the session is backed up off-site.")
    session_validation_interval_ms: PositiveInt = Field(60000, description="How often the profile's files are checked.")
    force_save_interval_ms: PositiveInt = Field(120000, description="How often a local save is made.")
    max_session_size_mb: PositiveInt = Field(150, description="Over this the caches are trimmed at the next start.")
    saves_kept: PositiveInt = Field(3, description="Local saves kept.")
    stop_budget_ms: PositiveInt = Field(12000, description="How long the last snapshot and backup may take at a stop.")

    @model_validator(mode="after")
    def _one_place_each(self) -> Self:
        if self.session_path.resolve() == self.backup_session_path.resolve():
            raise ValueError("SESSION_PATH and BACKUP_SESSION_PATH must be two places")
        return self

    def egress(self) -> Egress:
        """What the browsers may reach."""
        return Egress(
            site=site_of(self.whatsapp_web_url),
            hosts=host_patterns(self.browser_hosts),
            report_only=self.browser_hosts_mode == "report",
        )

    @model_validator(mode="after")
    def _hosts_are_hosts(self) -> Self:
        self.egress()
        return self
