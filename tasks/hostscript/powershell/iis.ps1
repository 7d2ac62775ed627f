# Action iis: a site or an application pool.

function Invoke-Iis($fields) {
  if ($null -eq (Get-Module -ListAvailable WebAdministration)) {
    Set-Cause 'tool_missing' 'WebAdministration'
    return 1
  }
  Import-Module WebAdministration
  $name = Join-Parts $fields.name
  $place = if ($fields.kind -eq 'site') { "IIS:\Sites\$name" } else { "IIS:\AppPools\$name" }
  if (-not (Test-Path -LiteralPath $place)) {
    Add-Line "IIS has no $(if ($fields.kind -eq 'site') { 'site' } else { 'application pool' }) $name"
    return 1
  }
  if ($fields.kind -ne 'site') { Wait-Pool $place }
  $running = ([string](Get-Item -LiteralPath $place).State) -eq 'Started'
  if ($fields.kind -eq 'site') {
    if ((@('stopped', 'restarted') -contains $fields.state) -and $running) { Stop-Website -Name $name }
    if (@('started', 'restarted') -contains $fields.state) { Start-Website -Name $name }
    return 0
  }
  switch ($fields.state) {
    'started' { if (-not $running) { Start-WebAppPool -Name $name } }
    'stopped' { if ($running) { Stop-WebAppPool -Name $name } }
    'recycled' { if ($running) { Restart-WebAppPool -Name $name } else { Start-WebAppPool -Name $name } }
  }
  Wait-Pool $place
  0
}

# IIS answers before a pool's processes have come or gone, and takes no order meanwhile.
function Wait-Pool([string]$place) {
  while (@('Starting', 'Stopping') -contains [string](Get-Item -LiteralPath $place).State) { Start-Sleep -Milliseconds 250 }
}
