# Mode stop: ends the run's processes and confirms that they are gone. Windows has no gentle way for a process without a
# window, so $Ls.data.grace is how long they may take to go, not how long they are asked nicely.

function Invoke-Stop {
  Enter-Run
  try {
    # The runner's own claim: once it is taken, this run never begins.
    if (New-Claim (Get-RunFile 'go.1') 'cancelled') { Exit-Saying 0 'stopped never' }
    # A resumed runner that claims its go from here on sees this and steps back.
    [void](New-Claim (Get-RunFile 'cancel') '')
  } catch { Exit-Unwritable $_.Exception }
  Set-State
  if ($Ls.state -eq 'cancelled') { Exit-Saying 0 'stopped never' }
  if ($Ls.state -eq 'finished') { Exit-Saying 0 'stopped finished' }
  # After a restart of the machine these numbers are those of others.
  $left = @(if ($Ls.word -ne 'rebooted') { Stop-Tree $Ls.runner $Ls.started ([double]$Ls.data.grace + 10) })
  if ($left.Count -gt 0) { Exit-Saying 77 "stopped alive $($left -join ' ')" }
  if (-not [IO.File]::Exists((Get-RunFile 'finish'))) {
    $line = "`n$($Ls.data.marker) finish $(Get-Uptime) 130 cancelled`n"
    try {
      [IO.File]::AppendAllText((Get-RunFile 'log'), $line)
      [void](New-Claim (Get-RunFile 'finish') '130')
    } catch [IO.IOException] { [void]$_ }
  }
  Exit-Saying 0 'stopped gone'
}
