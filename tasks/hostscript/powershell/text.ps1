# Text of a person's, for PowerShell or cmd, in a process of its own.

# Writes the text to a file and runs that; gives the exit code, or 124 when its time was over.
function Invoke-Text([string]$shell, [string]$command, [string]$name) {
  $file = Get-RunFile "$name.$($Ls.index)"
  if ($shell -eq 'cmd') {
    $file += '.cmd'
    [IO.File]::WriteAllText($file, "@echo off`r`nchcp 65001 >nul`r`n$($command -replace '\r?\n', "`r`n")`r`n", $Ls.utf8)
    return Invoke-Child $env:ComSpec "/d /s /c `"`"$file`"`""
  }
  $file += '.ps1'
  # With the mark at its head, PowerShell 5.1 reads it as UTF-8.
  [IO.File]::WriteAllText($file, $command, (New-Object Text.UTF8Encoding $true))
  $quoted = [Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($file)
  # An error is no answer: 1 alone says no.
  $call = if ($name -eq 'when') { "try { & '$quoted' } catch { [Console]::Error.WriteLine((`$_ | Out-String)); exit 2 }" } else { "& '$quoted'" }
  $code = "`$ErrorActionPreference = 'Stop'; `$ProgressPreference = 'SilentlyContinue'; " +
    "[Console]::OutputEncoding = New-Object Text.UTF8Encoding `$false; $call; if (`$null -ne `$LASTEXITCODE) { exit `$LASTEXITCODE }"
  # Not encoded: of an encoded command 5.1 writes errors as CLIXML, whatever the output's format.
  $options = '-NoProfile -NonInteractive -ExecutionPolicy Bypass -OutputFormat Text'
  Invoke-Child ([IO.Path]::Combine($PSHOME, 'powershell.exe')) "$options -Command `"$code`""
}

# Runs a program to its end or its time's, its output into the log as it comes.
function Invoke-Child([string]$program, [string]$arguments) {
  $info = New-Object Diagnostics.ProcessStartInfo $program, $arguments
  $info.UseShellExecute = $false
  $info.CreateNoWindow = $true
  $info.RedirectStandardInput = $true
  $info.RedirectStandardOutput = $true
  $info.RedirectStandardError = $true
  $info.WorkingDirectory = $Ls.directory
  $child = [Diagnostics.Process]::Start($info)
  $start = Get-StartOf $child
  $over = $false
  $ended = $null
  try {
    $child.StandardInput.Close()
    $streams = New-Object Collections.ArrayList
    foreach ($each in @($child.StandardOutput.BaseStream, $child.StandardError.BaseStream)) {
      $buffer = New-Object byte[] 65536
      [void]$streams.Add(@{ stream = $each; buffer = $buffer; read = $each.ReadAsync($buffer, 0, $buffer.Length) })
    }
    $quiet = [Diagnostics.Stopwatch]::StartNew()
    while ($true) {
      foreach ($each in @($streams | Where-Object { $_.read.IsCompleted })) {
        $count = $each.read.Result
        $quiet = [Diagnostics.Stopwatch]::StartNew()
        if ($count -eq 0) {
          $streams.Remove($each)
          continue
        }
        Add-Output $each.buffer $count
        $each.read = $each.stream.ReadAsync($each.buffer, 0, $each.buffer.Length)
      }
      if (($null -eq $ended) -and $child.HasExited) {
        # What it wrote last may not have come through yet.
        $ended = [Diagnostics.Stopwatch]::StartNew()
        $quiet = [Diagnostics.Stopwatch]::StartNew()
      }
      # What it has started and let go of may hold its output open for ever, and write on.
      if (($null -ne $ended) -and (($streams.Count -eq 0) -or ($quiet.Elapsed.TotalSeconds -gt 1) -or ($ended.Elapsed.TotalSeconds -gt 5))) {
        $over = $true
        # Unsigned, as Windows means it: 3221225786, and not -1073741510.
        return [BitConverter]::ToUInt32([BitConverter]::GetBytes($child.ExitCode), 0)
      }
      if ($Ls.deadline.Elapsed.TotalSeconds -ge $Ls.limit) {
        $Ls.timed_out = $true
        $over = $true
        $Ls.stuck = @(Stop-Tree $child.Id $start 10).Count -gt 0
        return 124
      }
      if ($streams.Count -gt 0) {
        [void][Threading.Tasks.Task]::WaitAny([Threading.Tasks.Task[]]@($streams | ForEach-Object { $_.read }), 50)
      } else { Start-Sleep -Milliseconds 50 }
    }
  } finally {
    # On a full disk, or when the step is given up, it must not work on.
    if (-not $over) { [void](Stop-Tree $child.Id $start 10) }
  }
}

# The step's own test: 0 and $Ls.skipped when the step is to be left out, else the exit code of a test that can't be run.
function Test-When($step) {
  $Ls.skipped = $false
  $exit = Invoke-Text $step.shell $step.when 'when'
  if ($exit -eq 0) { return 0 }
  if ($exit -ne 1) { return $exit }
  $Ls.skipped = $true
  Add-Control "skip $($Ls.index)"
  0
}
