// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {AstroGovernor, VotingRules} from "../../src/AstroGovernor.sol";
import {Allocation, AstroToken} from "../../src/AstroToken.sol";
import {Escrow} from "../../src/Escrow.sol";
import {Grants} from "../../src/Grants.sol";
import {Parameter, ProtocolParameters} from "../../src/ProtocolParameters.sol";
import {Emission, Rewards} from "../../src/Rewards.sol";
import {Slashing} from "../../src/Slashing.sol";
import {Staking} from "../../src/Staking.sol";
import {Treasury} from "../../src/Treasury.sol";
import {Schedule, Vesting} from "../../src/Vesting.sol";
import {Test} from "./Forge.sol";

/// @notice The whole protocol, deployed in the order of the real deployment: nobody but the timelock administers.
abstract contract Protocol is Test {
    uint256 internal constant COMMUNITY = 4_000_000_000 ether;
    uint256 internal constant LOCKED = 3_000_000_000 ether;
    uint256 internal constant TREASURY = 1_000_000_000 ether;
    uint256 internal constant LIQUIDITY = 2_000_000_000 ether;
    uint64 internal constant GENESIS = 1_800_000_000;

    TimelockController internal timelock;
    Treasury internal treasury;
    AstroToken internal token;
    Vesting internal vesting;
    ProtocolParameters internal parameters;
    Rewards internal rewards;
    Staking internal staking;
    Slashing internal slashing;
    Escrow internal escrow;
    Grants internal grants;
    AstroGovernor internal governor;

    address internal holder = actor("holder");
    address internal team = actor("team");
    address internal investor = actor("investor");
    address internal settler = actor("settler");
    address internal verifier = actor("verifier");
    address internal publisher = actor("publisher");
    address internal guardian = actor("guardian");
    address internal reviewer = actor("reviewer");

    function setUp() public virtual {
        vm.warp(GENESIS);
        uint256 nonce = vm.getNonce(address(this));
        timelock = new TimelockController(2 days, new address[](0), _anybody(), address(this));
        treasury = new Treasury(address(timelock));
        token = new AstroToken(10_000_000_000 ether, _allocations(nonce + 3, nonce + 6));
        vesting = new Vesting(token, address(timelock), address(treasury), _schedules());
        parameters = new ProtocolParameters(address(timelock), _values());
        _deployProxies(nonce);
        grants = new Grants(token, address(treasury), address(timelock), reviewer);
        governor = new AstroGovernor(
            token,
            timelock,
            VotingRules({
                votingDelaySeconds: 1 days,
                votingPeriodSeconds: 7 days,
                proposalThreshold: 1_000_000 ether,
                quorumPercent: 4,
                lateQuorumSeconds: 2 days
            })
        );
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(governor));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(governor));
        timelock.renounceRole(timelock.DEFAULT_ADMIN_ROLE(), address(this));
    }

    function _deployProxies(uint256 nonce) private {
        address slasher = vm.computeCreateAddress(address(this), nonce + 9);
        bytes memory ofRewards =
            abi.encodeCall(Rewards.initialize, (token, parameters, address(timelock), publisher, guardian, _emission()));
        rewards = Rewards(_behindProxy(address(new Rewards()), ofRewards));
        bytes memory ofStaking =
            abi.encodeCall(Staking.initialize, (token, parameters, address(treasury), address(timelock), slasher));
        bytes memory ofEscrow = abi.encodeCall(
            Escrow.initialize, (token, parameters, address(treasury), address(timelock), settler, guardian, rewards)
        );
        staking = Staking(_behindProxy(address(new Staking()), ofStaking));
        slashing = new Slashing(token, staking, parameters, address(treasury), address(timelock), verifier);
        escrow = Escrow(_behindProxy(address(new Escrow()), ofEscrow));
    }

    function _behindProxy(address code, bytes memory initialization) private returns (address) {
        return address(new ERC1967Proxy(code, initialization));
    }

    function _allocations(uint256 vestingNonce, uint256 rewardsNonce) private view returns (Allocation[] memory rows) {
        rows = new Allocation[](4);
        rows[0] = Allocation("community", vm.computeCreateAddress(address(this), rewardsNonce), COMMUNITY);
        rows[1] = Allocation("locked", vm.computeCreateAddress(address(this), vestingNonce), LOCKED);
        rows[2] = Allocation("treasury", address(treasury), TREASURY);
        rows[3] = Allocation("liquidity", holder, LIQUIDITY);
    }

    function _schedules() private view returns (Schedule[] memory schedules) {
        schedules = new Schedule[](2);
        schedules[0] = Schedule(team, 2_000_000_000 ether, GENESIS, 365 days, 4 * 365 days, true);
        schedules[1] = Schedule(investor, 1_000_000_000 ether, GENESIS, 182 days, 2 * 365 days, false);
    }

    function _emission() internal pure returns (Emission memory) {
        return Emission({start: GENESIS, firstEra: 500_000_000 ether, decayBps: 1_500});
    }

    function _anybody() private pure returns (address[] memory executors) {
        executors = new address[](1);
    }

    function _values() internal pure returns (uint256[] memory values) {
        values = new uint256[](uint256(type(Parameter).max) + 1);
        values[uint256(Parameter.FeeBps)] = 250;
        values[uint256(Parameter.FeeBurnShareBps)] = 2_000;
        values[uint256(Parameter.MinOperatorStake)] = 1_000 ether;
        values[uint256(Parameter.MinValidatorStake)] = 10_000 ether;
        values[uint256(Parameter.MaxDelegationMultiple)] = 10;
        values[uint256(Parameter.UnbondingSeconds)] = 21 days;
        values[uint256(Parameter.DisputeWindowSeconds)] = 3 days;
        values[uint256(Parameter.AppealWindowSeconds)] = 3 days;
        values[uint256(Parameter.AppealTimeoutSeconds)] = 21 days;
        values[uint256(Parameter.AccusationBond)] = 100 ether;
        values[uint256(Parameter.MaxSlashBps)] = 5_000;
        values[uint256(Parameter.SlashReporterShareBps)] = 1_000;
        values[uint256(Parameter.SlashBurnShareBps)] = 5_000;
        values[uint256(Parameter.WithdrawalDelaySeconds)] = 3 days;
        values[uint256(Parameter.PauseLimitSeconds)] = 2 days;
        values[uint256(Parameter.RewardChallengeSeconds)] = 1 days;
    }

    /// @notice Does something as the timelock, as an executed proposal would.
    function asTimelock(address target, bytes memory call) internal returns (bytes memory) {
        vm.prank(address(timelock));
        (bool done, bytes memory result) = target.call(call);
        vm.assertTrue(done, "the timelock's call failed");
        return result;
    }

    function setParameter(Parameter parameter, uint256 value) internal {
        asTimelock(address(parameters), abi.encodeCall(ProtocolParameters.set, (parameter, value)));
    }

    /// @notice Gives an account tokens, and lets staking, slashing and escrow take them.
    function fund(address account, uint256 amount) internal returns (address) {
        vm.prank(holder);
        token.transfer(account, amount);
        vm.startPrank(account);
        token.approve(address(staking), type(uint256).max);
        token.approve(address(slashing), type(uint256).max);
        token.approve(address(escrow), type(uint256).max);
        vm.stopPrank();
        return account;
    }
}
