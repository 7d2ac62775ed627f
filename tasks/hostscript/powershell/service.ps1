# Action service: a Windows service into a state.

function Invoke-Service($fields) {
  $shown = Join-Parts $fields.name
  # These commands take wildcards; a name is one service's.
  $name = [WildcardPattern]::Escape($shown)
  if ($null -eq (Get-Service -Name $name -ErrorAction SilentlyContinue)) {
    Add-Line "there is no service $shown"
    return 1
  }
  try {
    switch ($fields.state) {
      'started' { Start-Service -Name $name }
      'stopped' { Stop-Service -Name $name -Force }
      'restarted' { Restart-Service -Name $name -Force }
      'enabled' { Set-Service -Name $name -StartupType Automatic }
      'disabled' { Set-Service -Name $name -StartupType Disabled }
    }
  } catch {
    $failure = $_.Exception
    while ($null -ne $failure.InnerException) { $failure = $failure.InnerException }
    if (($failure -is [ComponentModel.Win32Exception]) -and ($failure.NativeErrorCode -eq 5)) { Set-Cause 'privilege' $_.Exception.Message }
    else { Add-Line (ConvertTo-Line "$($_.Exception.Message) $($failure.Message)") }
    return 1
  }
  0
}
