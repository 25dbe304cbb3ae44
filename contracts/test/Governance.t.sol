// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {AstroGovernor} from "../src/AstroGovernor.sol";
import {Escrow} from "../src/Escrow.sol";
import {Parameter, ProtocolParameters} from "../src/ProtocolParameters.sol";
import {Rewards} from "../src/Rewards.sol";
import {Staking} from "../src/Staking.sol";
import {Treasury} from "../src/Treasury.sol";
import {Protocol} from "./support/Protocol.sol";

contract GovernanceTest is Protocol {
    uint8 private constant FOR = 1;
    address private whale = actor("whale");

    function setUp() public override {
        super.setUp();
        vm.startPrank(holder);
        token.delegate(holder);
        token.transfer(whale, 500_000_000 ether);
        vm.stopPrank();
        vm.prank(whale);
        token.delegate(whale);
        vm.warp(GENESIS + 1);
    }

    function test_aVoteSetsAParameterAfterTheTimelock() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            _call(address(parameters), abi.encodeCall(ProtocolParameters.set, (Parameter.FeeBps, 300)));
        _pass(targets, values, calls);
        vm.expectRevert();
        governor.execute(targets, values, calls, keccak256("proposal"));
        vm.warp(GENESIS + 20 days);
        governor.execute(targets, values, calls, keccak256("proposal"));
        vm.assertEq(parameters.get(Parameter.FeeBps), 300, "fee");
    }

    function test_aVotePaysFromTheTreasury() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            _call(address(treasury), abi.encodeCall(Treasury.pay, (token, team, 5 ether, bytes32("grant"))));
        _pass(targets, values, calls);
        vm.warp(GENESIS + 20 days);
        governor.execute(targets, values, calls, keccak256("proposal"));
        vm.assertEq(token.balanceOf(team), 5 ether, "paid");
    }

    function test_aVoteUpgradesAndNobodyElse() public {
        Staking code = new Staking();
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), bytes32(0)
            )
        );
        staking.upgradeToAndCall(address(code), "");
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), bytes32(0)
            )
        );
        rewards.upgradeToAndCall(address(code), "");
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            _call(address(staking), abi.encodeCall(UUPSUpgradeable.upgradeToAndCall, (address(code), "")));
        _pass(targets, values, calls);
        vm.warp(GENESIS + 20 days);
        governor.execute(targets, values, calls, keccak256("proposal"));
        vm.assertEq(staking.totalStaked(), 0, "state is kept");
    }

    function test_escrowAndRewardsUpgradeByTheTimelock() public {
        asTimelock(
            address(escrow), abi.encodeCall(UUPSUpgradeable.upgradeToAndCall, (address(new Escrow()), ""))
        );
        asTimelock(
            address(rewards), abi.encodeCall(UUPSUpgradeable.upgradeToAndCall, (address(new Rewards()), ""))
        );
        vm.assertTrue(escrow.hasRole(escrow.SETTLER_ROLE(), settler), "roles are kept");
    }

    function test_tooFewVotesCannotPropose() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            _call(address(parameters), abi.encodeCall(ProtocolParameters.set, (Parameter.FeeBps, 300)));
        vm.prank(team);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernor.GovernorInsufficientProposerVotes.selector, team, 0, 1_000_000 ether
            )
        );
        governor.propose(targets, values, calls, "proposal");
    }

    function test_withoutQuorumNothingHappens() public {
        vm.prank(holder);
        token.transfer(team, 300_000_000 ether);
        vm.prank(team);
        token.delegate(team);
        vm.warp(GENESIS + 2);
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            _call(address(parameters), abi.encodeCall(ProtocolParameters.set, (Parameter.FeeBps, 300)));
        vm.prank(holder);
        uint256 id = governor.propose(targets, values, calls, "proposal");
        vm.warp(governor.proposalSnapshot(id) + 1);
        vm.prank(team);
        governor.castVote(id, FOR);
        vm.warp(governor.proposalDeadline(id) + 1);
        vm.assertTrue(governor.state(id) == IGovernor.ProposalState.Defeated, "3 % is below the quorum");
    }

    function test_aLateQuorumLengthensTheVote() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            _call(address(parameters), abi.encodeCall(ProtocolParameters.set, (Parameter.FeeBps, 300)));
        vm.prank(holder);
        uint256 id = governor.propose(targets, values, calls, "proposal");
        uint256 deadline = governor.proposalDeadline(id);
        vm.warp(deadline - 1);
        vm.prank(whale);
        governor.castVote(id, FOR);
        vm.assertEq(governor.proposalDeadline(id), deadline - 1 + 2 days, "two more days");
    }

    function test_theProposerCancelsBeforeTheVote() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            _call(address(parameters), abi.encodeCall(ProtocolParameters.set, (Parameter.FeeBps, 300)));
        vm.startPrank(holder);
        uint256 id = governor.propose(targets, values, calls, "proposal");
        governor.cancel(targets, values, calls, keccak256("proposal"));
        vm.stopPrank();
        vm.assertTrue(governor.state(id) == IGovernor.ProposalState.Canceled, "cancelled");
    }

    function test_theThresholdIsNeverZero() public {
        bytes memory call = abi.encodeCall(governor.setProposalThreshold, (0));
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _call(address(governor), call);
        _pass(targets, values, calls);
        vm.warp(GENESIS + 20 days);
        vm.expectRevert(abi.encodeWithSelector(AstroGovernor.ThresholdTooLow.selector, 0));
        governor.execute(targets, values, calls, keccak256("proposal"));
        vm.assertEq(governor.votingDelay(), 1 days, "delay");
        vm.assertEq(governor.votingPeriod(), 7 days, "period");
        vm.assertEq(governor.proposalThreshold(), 1_000_000 ether, "threshold");
    }

    function test_theDeployerKeepsNothing() public view {
        bytes32 admin = bytes32(0);
        vm.assertTrue(!timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), address(this)), "timelock");
        vm.assertTrue(!timelock.hasRole(timelock.PROPOSER_ROLE(), address(this)), "proposer");
        vm.assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), address(governor)), "the governor proposes");
        address[8] memory governed = _governed();
        for (uint256 index = 0; index < governed.length; ++index) {
            vm.assertTrue(!IAccessControl(governed[index]).hasRole(admin, address(this)), "deployer");
            vm.assertTrue(IAccessControl(governed[index]).hasRole(admin, address(timelock)), "timelock");
        }
    }

    function testFuzz_nobodyElseGrantsRoles(address caller, bytes32 role) public {
        vm.assume(caller != address(timelock));
        address[8] memory governed = _governed();
        vm.startPrank(caller);
        for (uint256 index = 0; index < governed.length; ++index) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IAccessControl.AccessControlUnauthorizedAccount.selector, caller, bytes32(0)
                )
            );
            IAccessControl(governed[index]).grantRole(role, caller);
        }
        vm.stopPrank();
    }

    function _governed() private view returns (address[8] memory) {
        return [
            address(treasury),
            address(vesting),
            address(parameters),
            address(rewards),
            address(staking),
            address(slashing),
            address(escrow),
            address(grants)
        ];
    }

    function _call(address target, bytes memory data)
        private
        pure
        returns (address[] memory targets, uint256[] memory values, bytes[] memory calls)
    {
        (targets, values, calls) = (new address[](1), new uint256[](1), new bytes[](1));
        (targets[0], calls[0]) = (target, data);
    }

    function _pass(address[] memory targets, uint256[] memory values, bytes[] memory calls) private {
        vm.prank(holder);
        uint256 id = governor.propose(targets, values, calls, "proposal");
        vm.warp(governor.proposalSnapshot(id) + 1);
        vm.prank(holder);
        governor.castVote(id, FOR);
        vm.warp(governor.proposalDeadline(id) + 1);
        vm.assertTrue(governor.proposalNeedsQueuing(id), "waits in the timelock");
        governor.queue(targets, values, calls, keccak256("proposal"));
    }
}
